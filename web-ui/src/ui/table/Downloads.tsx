import { type FileFormat, filePath, mostInFile, type Selection } from '../../api/table';
import { numberText, timeZone } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText, typeLabel } from '../../lib/names';
import { nodeNow } from '../../lib/nodetime';
import { fileName } from '../../lib/table';
import { localTime } from '../../lib/zone';
import { city } from '../../state/store';

const formats: [format: FileFormat, label: string, ending: string][] = [
  ['csv', 'CSV', 'csv'],
  ['json', 'GeoJSON', 'geojson'],
  ['parquet', 'Parquet', 'parquet'],
];

/** The whole selection as a file, not only the page that is shown. */
export function Downloads({ selection, matched }: { selection: Selection; matched: number }) {
  const what = t(matched > mostInFile ? 'table.download.some' : 'table.download.all', {
    matched: numberText(matched),
    most: numberText(mostInFile),
  });
  return (
    <div class="table-files" role="group" aria-label={`${t('table.download')}: ${what}`}>
      <span class="quiet small" aria-hidden="true" title={what}>
        {t('table.download')}
      </span>
      {formats.map(([format, label, ending]) => (
        <a
          key={format}
          class="button table-file"
          href={filePath(selection, format)}
          download={tableFile(typeLabel(selection.type), ending)}
          title={what}
        >
          {label}
        </a>
      ))}
    </div>
  );
}

/** The city, what it is of, and the city's own time. */
export function tableFile(what: string, ending: string): string {
  const time = localTime(nodeNow(), timeZone.value).replace('T', '-').replace(':', '');
  return fileName([nameText(city.value?.name), what, time], ending);
}
