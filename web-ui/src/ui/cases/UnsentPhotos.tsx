import { useState } from 'preact/hooks';
import { addPhoto } from '../../api/cases';
import { ApiError } from '../../api/http';
import { type MessageKey, plural, t } from '../../lib/i18n';
import { refusal } from './parts';

/** A photo that the node did not take, and why, in the reader's words. */
export interface Unsent {
  name: string;
  why: string;
}

/** Sends each photo for itself; what was not taken is told, and nothing else is lost by it. */
export async function sendPhotos(number: string, files: readonly File[]): Promise<Unsent[]> {
  const sent = await Promise.allSettled(files.map((file) => addPhoto(number, file)));
  return sent.flatMap((each, at) =>
    each.status === 'rejected' ? [{ name: files[at]?.name ?? '', why: whyOf(each.reason) }] : [],
  );
}

const reasons: Record<number, MessageKey> = {
  400: 'report.unsent.broken',
  413: 'report.unsent.large',
  415: 'report.unsent.kind',
};

function whyOf(thrown: unknown): string {
  const key = thrown instanceof ApiError && reasons[thrown.status];
  return key ? t(key) : refusal(thrown);
}

/** Which photos of the case were not taken and why, and another one in their place. */
export function UnsentPhotos(props: { number: string; unsent: Unsent[] }) {
  const { number } = props;
  const [unsent, setUnsent] = useState(props.unsent);
  const [taken, setTaken] = useState(0);
  const [busy, setBusy] = useState(false);
  const send = async (input: HTMLInputElement): Promise<void> => {
    const files = [...(input.files ?? [])];
    if (busy || files.length === 0) return;
    setBusy(true);
    const failed = await sendPhotos(number, files);
    setUnsent(failed);
    setTaken(taken + files.length - failed.length);
    setBusy(false);
    // The same file may be chosen again.
    input.value = '';
  };
  return (
    <>
      <div role="alert">
        {unsent.length > 0 && (
          <div class="note warn">
            <p>{plural('report.unsent', unsent.length)}</p>
            <ul>
              {unsent.map(({ name, why }, at) => (
                <li key={at}>
                  <span class="strong">{name}</span>: {why}
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
      <p class="small" role="status">
        {busy ? t('report.sending') : taken > 0 ? plural('report.sent', taken) : ''}
      </p>
      {unsent.length > 0 && (
        <label>
          <span>{t('report.unsent.another')}</span>
          <input
            type="file"
            name="another"
            accept="image/jpeg,image/png,image/webp"
            multiple
            disabled={busy}
            onChange={(event) => void send(event.currentTarget)}
          />
        </label>
      )}
    </>
  );
}
