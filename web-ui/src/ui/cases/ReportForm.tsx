import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../../api/http';
import { numberOf, reportCase, type Report } from '../../api/cases';
import { writeAddress } from '../../lib/address';
import { plural, t } from '../../lib/i18n';
import { readWords, reportPlace, showReportPlace } from '../../state/cases';
import { goOnAt } from '../../state/focus';
import { map } from '../../state/store';
import { go, view } from '../../state/view';
import { Nearby } from './Nearby';
import { refusal } from './parts';
import { PlaceName } from './PlaceName';
import { sendPhotos, type Unsent, UnsentPhotos } from './UnsentPhotos';
import { TypeChoice } from './TypeChoice';

/** What the node knows a report by, so that one sent twice is one case. */
const freshId = (): string =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join('');

/** A citizen's report: where, what, a photo, and whom to ask, if anybody. */
export function ReportForm() {
  const [number, setNumber] = useState('');
  const [unsent, setUnsent] = useState<Unsent[]>([]);
  useEffect(() => void readWords().catch(() => undefined), []);
  useEffect(showReportPlace, []);
  if (number) return <Thanks number={number} unsent={unsent} again={() => setNumber('')} />;
  return (
    <Form
      done={(made, failed) => {
        reportPlace.value = null;
        setUnsent(failed);
        setNumber(made);
      }}
    />
  );
}

function Form({ done }: { done: (number: string, unsent: Unsent[]) => void }) {
  const [type, setType] = useState('');
  const [text, setText] = useState('');
  const [said, setSaid] = useState('');
  const [outside, setOutside] = useState<[number, number] | null>(null);
  const [busy, setBusy] = useState(false);
  const [requestId, setRequestId] = useState(freshId);
  const [photos, setPhotos] = useState(0);
  const place = reportPlace.value;
  // A place or a type that is pressed is something else, too.
  useEffect(() => setRequestId(freshId()), [type, place]);
  useEffect(() => goOnAt('#report-title'), []);

  const send = async (form: HTMLFormElement): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setSaid('');
    setOutside(null);
    try {
      const given = new FormData(form);
      const made = await reportCase(reportOf(given, type, requestId));
      const number = numberOf(made.id);
      const files = given
        .getAll('photos')
        .filter((each): each is File => each instanceof File && each.size > 0);
      done(number, await sendPhotos(number, files));
    } catch (thrown) {
      if (thrown instanceof ApiError && thrown.field === 'location') setOutside(place);
      else setSaid(refusal(thrown));
      setBusy(false);
    }
  };

  return (
    <form
      class="section case-form report"
      aria-labelledby="report-title"
      // Something else is another report.
      onChange={() => setRequestId(freshId())}
      onSubmit={(event) => {
        event.preventDefault();
        void send(event.currentTarget);
      }}
    >
      <h2 id="report-title" tabIndex={-1}>
        {t('report.title')}
      </h2>
      <PlaceChoice outside={place !== null && place === outside} />
      <label>
        <span>{t('report.text')}</span>
        <textarea
          class="search"
          name="description"
          rows={3}
          maxLength={4000}
          required={!type}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <TypeChoice type={type} choose={setType} text={text} />
      <Nearby type={type} />
      <label>
        <span>{t('report.photo')}</span>
        <input
          type="file"
          name="photos"
          accept="image/jpeg,image/png,image/webp"
          multiple
          onChange={(event) => setPhotos(event.currentTarget.files?.length ?? 0)}
        />
      </label>
      <p class="unseen" role="status">
        {photos > 0 ? plural('report.photos', photos) : ''}
      </p>
      <fieldset>
        <legend>{t('report.contact')}</legend>
        <p class="small quiet">{t('report.contact.hint')}</p>
        <label>
          <span>{t('cases.reporter.name')}</span>
          <input class="search" name="name" autocomplete="name" maxLength={200} />
        </label>
        <label>
          <span>{t('cases.reporter.phone')}</span>
          <input class="search" name="phone" type="tel" autocomplete="tel" maxLength={200} />
        </label>
        <label>
          <span>{t('cases.reporter.email')}</span>
          <input class="search" name="email" type="email" autocomplete="email" maxLength={200} />
        </label>
      </fieldset>
      <div role="alert">{said && <p class="note warn">{said}</p>}</div>
      <button type="submit" class="button primary" disabled={busy}>
        {t(busy ? 'report.sending' : 'report.send')}
      </button>
    </form>
  );
}

function reportOf(given: FormData, type: string, requestId: string): Report {
  const text = (name: string): string => String(given.get(name) ?? '').trim();
  const place = reportPlace.value;
  const contact = ['name', 'phone', 'email'].map((name) => [name, text(name)]);
  return {
    type,
    description: text('description'),
    ...(place ? { location: { type: 'Point', coordinates: place } } : {}),
    channel: 'page',
    reporter: Object.fromEntries(contact.filter(([, value]) => value)),
    requestId,
  };
}

/**
 * By a press on the map, the map's middle, or where the reader stands.
 *
 * @param outside whether the node said of the place that it is outside the city
 */
function PlaceChoice({ outside }: { outside: boolean }) {
  const [said, setSaid] = useState('');
  const place = reportPlace.value;
  const fieldset = useRef<HTMLFieldSetElement>(null);
  // The button that sends is far below the place on a telephone.
  useEffect(() => {
    if (outside) fieldset.current?.scrollIntoView({ block: 'nearest' });
  }, [outside]);
  const take = (at: [number, number]): void => {
    setSaid('');
    reportPlace.value = at;
  };
  return (
    <fieldset ref={fieldset}>
      <legend>{t('report.place')}</legend>
      <div role="status" data-place={place ? place.join(' ') : ''}>
        {place ? <PlaceName place={place} /> : t('report.place.hint')}
      </div>
      <div class="case-buttons">
        <button
          type="button"
          class="button"
          onClick={() => {
            const middle = map.value?.camera().center;
            if (middle) take(middle);
          }}
        >
          {t('report.place.middle')}
        </button>
        {'geolocation' in navigator && (
          <button
            type="button"
            class="button"
            onClick={() =>
              navigator.geolocation.getCurrentPosition(
                ({ coords: { longitude, latitude } }) => {
                  take([longitude, latitude]);
                  map.value?.goTo([longitude, latitude, longitude, latitude], {
                    bottom: 0,
                    left: 0,
                  });
                },
                () => setSaid(t('report.place.unknown')),
                { enableHighAccuracy: true, timeout: 15_000 },
              )
            }
          >
            {t('report.place.own')}
          </button>
        )}
        {place && (
          <button type="button" class="button plain" onClick={() => (reportPlace.value = null)}>
            {t('report.place.none')}
          </button>
        )}
      </div>
      <div role="alert" data-outside={outside || undefined}>
        {(said || outside) && <p class="note warn">{said || t('report.place.outside')}</p>}
      </div>
    </fieldset>
  );
}

/** The number to keep, and where everyone can see how the case goes. */
function Thanks(props: { number: string; unsent: Unsent[]; again: () => void }) {
  const { number, unsent, again } = props;
  const address = writeAddress({ ...view.value, page: 'status', cases: casesOf(number) });
  useEffect(() => document.getElementById('report-done')?.focus(), []);
  return (
    <div class="section case-form report">
      <h2 id="report-done" tabIndex={-1}>
        {t('report.done')}
      </h2>
      <p class="report-number number">{number}</p>
      <p>{t('report.done.hint')}</p>
      {unsent.length > 0 && <UnsentPhotos number={number} unsent={unsent} />}
      <div class="case-buttons">
        <a
          class="button primary"
          href={address}
          onClick={(event) => {
            event.preventDefault();
            go({ page: 'status', cases: casesOf(number) });
          }}
        >
          {t('status.title')}
        </a>
        <button type="button" class="button" onClick={again}>
          {t('report.again')}
        </button>
      </div>
    </div>
  );
}

const casesOf = (number: string): typeof view.value.cases => ({ ...view.value.cases, number });
