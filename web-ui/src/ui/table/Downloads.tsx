import { type FileFormat, filePath, type Selection } from '../../api/table';
import { numberText, timeZone } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText, typeLabel } from '../../lib/names';
import { nodeNow } from '../../lib/nodetime';
import { fileName } from '../../lib/table';
import { localTime } from '../../lib/zone';
import { city, mostInAnswer } from '../../state/store';

const formats: [format: FileFormat, label: string, ending: string][] = [
  ['csv', 'CSV', 'csv'],
  ['json', 'GeoJSON', 'geojson'],
  ['parquet', 'Parquet', 'parquet'],
];

/** The whole selection as a file, not only the page that is shown. */
export function Downloads({ selection, matched }: { selection: Selection; matched: number }) {
  const most = mostInAnswer.value;
  const isPart = matched > most;
  const what = t(isPart ? 'table.download.some' : 'table.download.all', {
    matched: numberText(matched),
    most: numberText(most),
  });
  return (
    <div class="table-files" role="group" aria-label={`${t('table.download')}: ${what}`}>
      {/* That something is left out stands there to be read, not only to be pointed at. */}
      <span
        class={isPart ? 'table-part warn small' : 'quiet small'}
        aria-hidden="true"
        title={what}
      >
        {isPart ? what : t('table.download')}
      </span>
      {formats.map(([format, label, ending]) => (
        <a
          key={format}
          class="button table-file"
          href={filePath(selection, format, most)}
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
