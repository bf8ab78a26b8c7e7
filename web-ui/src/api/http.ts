/** The one way this page asks its own node for something. It never calls another origin. */

import { language } from '../lib/i18n';
import { hearTime } from '../lib/nodetime';
import { keyHeaders } from './key';

/** What the node said when it refused: the fields of an RFC 9457 problem document. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Seconds after which it is worth to ask again, where the node said so; else 0. */
    readonly retryAfter = 0,
    /** What of the request was wrong, where the node names it; else "". */
    readonly field = '',
  ) {
    super(detail || title);
    this.name = 'ApiError';
  }
}

export interface Answer<T> {
  body: T;
  headers: Headers;
}

/**
 * Reads one JSON document.
 *
 * @param path from the root of this origin, beginning with "/"
 * @throws ApiError for every answer but 2xx, and with status 0 when nothing answered
 */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<Answer<T>> {
  let response: Response;
  const sent = Date.now();
  try {
    // No header but a key's: what the page's head has fetched ahead (index.html) would not be taken for it.
    response = await fetch(path, { headers: keyHeaders(), ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'unreachable', '');
  }
  hearTime(response.headers, sent, Date.now());
  if (!response.ok) throw await problemOf(response);
  return { body: (await response.json()) as T, headers: response.headers };
}

/**
 * Sends one JSON document.
 *
 * @throws ApiError as `getJson`
 */
export const postJson = <T>(path: string, body: unknown): Promise<T> =>
  post(path, JSON.stringify(body), 'application/json');

/**
 * Sends something as it is.
 *
 * @throws ApiError as `getJson`
 */
export const post = async <T>(path: string, body: BodyInit, type: string): Promise<T> =>
  (await (await send('POST', path, body, type)).json()) as T;

/**
 * Replaces what is at a path, of which nothing is answered.
 *
 * @throws ApiError as `getJson`
 */
export const putJson = async (path: string, body: unknown): Promise<void> =>
  void (await send('PUT', path, JSON.stringify(body), 'application/json'));

/**
 * Takes away what is at a path.
 *
 * @throws ApiError as `getJson`
 */
export const remove = async (path: string): Promise<void> => void (await send('DELETE', path));

async function send(
  method: string,
  path: string,
  body?: BodyInit,
  type?: string,
): Promise<Response> {
  let response: Response;
  const headers: Record<string, string> = { ...keyHeaders() };
  if (method !== 'GET') {
    headers.Accept = 'application/json';
    // What is refused is told in the page's language, which need not be the browser's.
    headers['Accept-Language'] = language.value;
  }
  if (type) headers['Content-Type'] = type;
  try {
    response = await fetch(path, { method, headers, ...(body === undefined ? {} : { body }) });
  } catch {
    throw new ApiError(0, 'unreachable', '');
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<ApiError> {
  let title = response.statusText;
  let detail = '';
  let field = '';
  const retryAfter = Number(response.headers.get('Retry-After') ?? 0) || 0;
  try {
    const problem: unknown = await response.json();
    if (problem && typeof problem === 'object') {
      const fields = problem as Record<string, unknown>;
      if (typeof fields.title === 'string') title = fields.title;
      if (typeof fields.detail === 'string') detail = fields.detail;
      if (typeof fields.field === 'string') field = fields.field;
    }
  } catch {
    // Not every refusal carries a document; the status says enough.
  }
  return new ApiError(response.status, title, detail, retryAfter, field);
}

/**
 * Reads something that the browser would ask for by itself, were it not for the reader's key: a picture, a file.
 *
 * @throws ApiError as `getJson`
 */
export async function getFile(path: string): Promise<Answer<Blob>> {
  const response = await send('GET', path);
  return { body: await response.blob(), headers: response.headers };
}

/** A query string from the parameters that have a value. */
export function query(parameters: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}
