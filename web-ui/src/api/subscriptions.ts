/** Who is told of an object's changes. */
import { ApiError, getJson } from './http';

/** A subscription as this page shows it: no more of its receiver than the node tells everyone. */
export interface Told {
  id: string;
  subscriptionName?: string;
  description?: string;
  status?: string;
  isActive?: boolean;
  watchedAttributes?: string[];
  notificationTrigger?: string[];
  notification?: {
    status?: string;
    timesSent?: number;
    timesFailed?: number;
    lastNotification?: string;
    lastSuccess?: string;
    lastFailure?: string;
    endpoint?: { uri?: string };
  };
}

export async function readSubscriptionsOf(id: string, signal?: AbortSignal): Promise<Told[]> {
  const path = `/map/objects/${encodeURIComponent(id)}/subscriptions`;
  try {
    return (await getJson<Told[]>(path, signal)).body;
  } catch (error) {
    // Nobody is told of what does not exist any more.
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}
