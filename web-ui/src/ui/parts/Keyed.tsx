import { useEffect, useState } from 'preact/hooks';
import { getFile } from '../../api/http';
import { key } from '../../api/key';

/** Where the browser finds a picture of this node: at its path; with a key, which it cannot send, as what was read. */
export function useSource(path: string): string | undefined {
  const who = key.value;
  const [found, setFound] = useState<{ path: string; url: string } | null>(null);
  useEffect(() => {
    if (!who) return;
    let url = '';
    let wanted = true;
    getFile(path).then(
      ({ body }) => {
        if (!wanted) return;
        url = URL.createObjectURL(body);
        setFound({ path, url });
      },
      () => wanted && setFound(null),
    );
    return () => {
      wanted = false;
      if (url) URL.revokeObjectURL(url);
    };
  }, [path, who]);
  if (!who) return path;
  return found?.path === path ? found.url : undefined;
}

/** Links to files carry the reader's key: the browser's own requests cannot. */
export function offerDownloads(): void {
  addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[download]') : null;
    if (!key.value || !(link instanceof HTMLAnchorElement)) return;
    if (link.origin !== location.origin || link.protocol === 'blob:') return;
    event.preventDefault();
    void download(link.href.slice(location.origin.length), link.download);
  });
}

async function download(path: string, wished: string): Promise<void> {
  const { body, headers } = await getFile(path);
  const told = /filename="?([^";]+)/.exec(headers.get('Content-Disposition') ?? '')?.[1];
  const link = document.createElement('a');
  link.href = URL.createObjectURL(body);
  link.download = wished || told || path.split(/[/?]/).findLast(Boolean) || 'file';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
