import { readSubscriptionsOf, type Told } from '../../api/subscriptions';
import { agoText, numberText, timeText } from '../../lib/format';
import { known, plural, t } from '../../lib/i18n';
import { attributeLabel, shortId } from '../../lib/names';
import { Problem } from '../parts/Problem';
import { useRead } from '../parts/useRead';

/** Who is told of this object's changes, and whether it arrives. */
export function Subscriptions({ id, revision }: { id: string; revision: number }) {
  const read = useRead(`subscriptions ${id}`, (stop) => readSubscriptionsOf(id, stop), revision);
  return (
    <section class="section" aria-labelledby="told-title">
      <h3 id="told-title">{t('told.title')}</h3>
      {read.error && <Problem title={t('told.unread')} error={read.error} retry={read.retry} />}
      {read.phase === 'loading' && (
        <p class="quiet small" role="status">
          {t('told.reading')}
        </p>
      )}
      {read.body?.length === 0 && <p class="quiet">{t('told.nobody')}</p>}
      {read.body && read.body.length > 0 && (
        <ul class="subscribers">
          {read.body.map((each) => (
            <Item key={each.id} told={each} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Item({ told }: { told: Told }) {
  const { notification = {} } = told;
  const status =
    told.isActive === false ? 'paused' : (told.status ?? notification.status ?? 'active');
  const failing = notification.status === 'failed';
  const { watchedAttributes: watched = [] } = told;
  return (
    <li data-subscription={told.id}>
      <span>
        <bdi class="strong">{told.subscriptionName || told.description || shortId(told.id)}</bdi>{' '}
        <span class={failing ? 'warn strong small' : 'quiet small'}>
          {failing ? t('told.failing') : (known(`told.status.${status}`) ?? status)}
        </span>
      </span>
      {notification.endpoint?.uri && (
        <bdi class="quiet small receiver">{notification.endpoint.uri}</bdi>
      )}
      <span class="quiet small">
        {watched.length
          ? t('told.watched', { attributes: watched.map(attributeLabel).join(', ') })
          : t('told.anyAttribute')}
      </span>
      <span class="quiet small">
        {notification.lastNotification ? (
          <time
            dateTime={notification.lastNotification}
            title={timeText(notification.lastNotification)}
          >
            {t('told.last', { when: agoText(notification.lastNotification) })}
          </time>
        ) : (
          t('told.never')
        )}
        {notification.timesSent ? ` · ${plural('told.sent', notification.timesSent)}` : ''}
        {notification.timesFailed
          ? ` · ${t('told.failed', { count: numberText(notification.timesFailed) })}`
          : ''}
      </span>
    </li>
  );
}
