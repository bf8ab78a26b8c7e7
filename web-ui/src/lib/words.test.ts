import { beforeEach, describe, expect, it } from 'vitest';
import en from '../messages/en';
import zh from '../messages/zh';
import { agoText, daysText, quantity, timeText, timeZone } from './format';
import { compareTexts, firstLanguage, language, plural, regionalTag, t, wishes } from './i18n';
import { attributeLabel, humanise, inLanguage, localName, nameText, typeLabel } from './names';

beforeEach(() => {
  language.value = 'en';
  wishes.value = [];
  timeZone.value = 'Asia/Shanghai';
});

describe('message files', () => {
  // Chinese has one plural form: "_one" is English alone.
  const needed = Object.keys(en).filter((key) => !key.endsWith('_one'));

  it('have the same keys in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual(needed.sort());
  });

  it('have the same parameters in both languages', () => {
    const holes = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const key of needed) {
      expect([key, holes(zh[key as keyof typeof zh])]).toEqual([
        key,
        holes(en[key as keyof typeof en]),
      ]);
    }
  });
});

describe('words', () => {
  it('follow the chosen language and its plurals', () => {
    expect(plural('sources.late', 1)).toBe('1 source needs a look');
    expect(plural('sources.late', 1200)).toBe('1,200 sources need a look');
    language.value = 'zh';
    expect(plural('sources.late', 1)).toBe('1 个数据源需要查看');
    expect(t('live.live')).toBe('实时');
  });

  it('begin in the language of the address, else of the browser', () => {
    expect(firstLanguage('?lang=zh', ['en-GB'])).toBe('zh');
    expect(firstLanguage('', ['fr', 'zh-CN', 'en'])).toBe('zh');
    expect(firstLanguage('?lang=xx', ['fr'])).toBe('en');
  });
});

describe('names', () => {
  it('are read from IRIs and from camel case', () => {
    expect(localName('https://smartdatamodels.org/dataModel.Streetlighting/Streetlight')).toBe(
      'Streetlight',
    );
    expect(localName('https://example.org/terms#level')).toBe('level');
    expect(humanise('averageVehicleSpeed')).toBe('Average vehicle speed');
    expect(humanise('roadURL')).toBe('Road URL');
    expect(typeLabel('Streetlight')).toBe('Street lights');
    expect(attributeLabel('somethingQuiteNew')).toBe('Something quite new');
  });

  it('are in the wished language, a variant of it, or any that there is', () => {
    expect(inLanguage({ en: 'Bridge', 'zh-Hans': '桥' }, 'zh')).toBe('桥');
    expect(inLanguage({ fr: 'Pont', '@none': 'P' }, 'zh')).toBe('P');
    expect(inLanguage({ fr: ['Pont', 'Passerelle'] }, 'en')).toBe('Pont, Passerelle');
    expect(inLanguage({}, 'en')).toBe('');
    expect(nameText('plain')).toBe('plain');
    expect(nameText(undefined)).toBe('');
  });
});

describe('numbers and times', () => {
  it('carry the sign of their unit, and an unknown unit as its code', () => {
    expect(quantity(21.5, 'CEL')).toBe('21.5\u00a0°C');
    expect(quantity(55, 'P1')).toBe('55%');
    expect(quantity(1234.5)).toBe('1,234.5');
    expect(quantity(2, 'QQQ')).toBe('2\u00a0QQQ');
  });

  it('are told in the time of the city', () => {
    expect(timeText('2026-01-01T20:00:00Z', 'short')).toMatch(/^Jan 2, 2026, 4:00/);
    expect(timeText('not a time')).toBe('not a time');
  });

  it("are written as the reader's region writes the chosen language", () => {
    const time = '2026-01-01T20:00:00Z';
    wishes.value = ['de-DE', 'en-GB', 'en-US', 'zh-TW'];
    expect(timeText(time, 'short')).toBe('2 Jan 2026, 04:00');
    language.value = 'zh';
    expect(timeText(time, 'short')).toBe('2026年1月2日 04:00');
    expect(regionalTag('zh', wishes.value)).toBe('zh-Hans-TW');
    expect(regionalTag('en', ['en', 'not a tag', 'en-AU'])).toBe('en-AU');
    expect(regionalTag('en', ['fr-FR', 'en'])).toBe('en');
  });

  it('are written by one rule everywhere', () => {
    const sources: Record<string, string> = import.meta.glob('../**/*.{ts,tsx}', {
      query: '?raw',
      import: 'default',
      eager: true,
    });
    const others = Object.entries(sources).flatMap(([path, text]) => {
      const calls =
        text.match(/Intl\.[A-Z]\w+\((?!\[?locale\.value)[^)]{0,30}|\.toLocale\w+/g) ?? [];
      return path.endsWith('.test.ts') ? [] : calls.map((call) => `${path}: ${call}`);
    });
    // Parts of a time by their English names, and the reading of tags themselves.
    expect(others.filter((call) => !/'en-US'|Intl\.Locale\(tag/.test(call))).toEqual([]);
  });

  it('say days that belong together in as few words as there are', () => {
    wishes.value = ['en-GB'];
    const days = { from: '2026-07-01', to: '2026-07-31' };
    // How wide the space is, is the browser's.
    const told = (): string => daysText(days).replace(/\s/g, ' ');
    expect(told()).toBe('1 – 31 Jul 2026');
    expect(daysText({ from: '2026-07-01', to: '2026-07-01' })).toBe('1 Jul 2026');
    language.value = 'zh';
    expect(told()).toBe('2026/7/1 – 2026/7/31');
  });

  it('put texts in the order of their language', () => {
    language.value = 'zh';
    expect(['织港', '桥', '安'].sort(compareTexts)).toEqual(['安', '桥', '织港']);
  });

  it('say how long ago in the largest whole unit', () => {
    const now = Date.parse('2026-01-02T12:00:00Z');
    expect(agoText('2026-01-02T09:00:00Z', now)).toBe('3 hours ago');
    expect(agoText('2026-01-01T11:00:00Z', now)).toBe('yesterday');
    expect(agoText('2026-01-02T12:00:00Z', now)).toBe('now');
  });
});
