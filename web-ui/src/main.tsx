import { effect } from '@preact/signals';
import { render } from 'preact';
import { hearNode } from './api/node';
import { startClock } from './lib/format';
import { firstLanguage, language, languages, wishes } from './lib/i18n';
import { start } from './state/app';
import { listenForKeys } from './state/keys';
import { darkScheme } from './state/store';
import './style.css';
import { offerTestHook } from './testhook';
import { App } from './ui/App';
import { offerDownloads } from './ui/parts/Keyed';
import { offerPrinting } from './ui/parts/Print';

wishes.value = navigator.languages;
addEventListener('languagechange', () => (wishes.value = navigator.languages));
language.value = firstLanguage(location.search, wishes.value);
effect(() => {
  document.documentElement.lang =
    languages.find(({ code }) => code === language.value)?.tag ?? 'en';
});

const scheme = matchMedia('(prefers-color-scheme: dark)');
darkScheme.value = scheme.matches;
scheme.addEventListener('change', () => (darkScheme.value = scheme.matches));

const place = document.getElementById('app');
if (place) {
  // The city is asked for first; its frame is drawn while it answers.
  void start();
  render(<App />, place);
  offerTestHook();
  offerPrinting();
  offerDownloads();
  startClock(hearNode);
  listenForKeys();
}
