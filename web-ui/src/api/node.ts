/** How the node itself fares, and the notifications that it gave up. */
import { type Answer, getJson, postJson } from './http';

export interface NodeState {
  version: string;
  now: string;
  started: string;
  /** Seconds. */
  uptime: number;
  store: {
    entities: number;
    fileBytes: number;
    /** Of a store in a file alone. */
    walBytes?: number;
    works: number;
    commits: number;
    refused: number;
    failedCommits: number;
    queueWorks: number;
    queueBytes: number;
  };
  log: { firstSeq: number; lastSeq: number };
  consumers: { name: string; cursor: number; lag: number }[];
  /** `dropped`: dead ones that are kept no longer. */
  deliveries: { pending: number; dead: number; dropped: number };
  listeners: number;
}

export interface DeadLetter {
  id: string;
  subscriptionId: string;
  endpoint: string | null;
  seq: number;
  attempts: number;
  lastError: string;
  givenUpAt: string;
}

export const readNode = (signal?: AbortSignal): Promise<Answer<NodeState>> =>
  getJson('/node', signal);

export const readDeadLetters = (signal?: AbortSignal): Promise<Answer<DeadLetter[]>> =>
  getJson('/subscriptions/dead', signal);

/** Sends dead letters once more: these, or all. Answers the ids of those that are on their way again. */
export const replayDeadLetters = (ids: string[] | null): Promise<{ replayed: string[] }> =>
  postJson('/subscriptions/dead/replay', ids ? { ids } : { all: true });

/** Asks the node for anything: its answer tells its time. */
export const hearNode = (): void => void getJson('/health').catch(() => undefined);
