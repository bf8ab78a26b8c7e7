/** The map as a picture that explains itself. */
import { t } from '../../lib/i18n';
import { localTime } from '../../lib/zone';
import { timeZone } from '../../lib/format';
import { nodeNow } from '../../lib/nodetime';
import { inColumns } from '../../lib/columns';
import { shapes } from '../../lib/symbols';
import { dark, light, type Theme } from '../../map/theme';
import { instant } from '../../state/instant';
import { say } from '../../state/notice';
import { darkScheme, type LayerState, map } from '../../state/store';
import { captionOf } from './caption';
import type { Entry } from './entries';

const face = 'system-ui, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif';
const margin = 16;

/** The map as it is now, with its scale drawn in; null without a map. */
export function drawMap(): HTMLCanvasElement | null {
  const now = map.value;
  const canvas = now?.picture();
  const pen = canvas?.getContext('2d');
  if (!now || !canvas || !pen) return null;
  const { pixels, text } = captionOf().scale;
  const ratio = canvas.width / now.width();
  const foot = canvas.height / ratio - margin;
  pen.scale(ratio, ratio);
  pen.font = `600 12px ${face}`;
  pen.lineJoin = 'round';
  const bar = new Path2D();
  bar.moveTo(margin, foot - 6);
  bar.lineTo(margin, foot);
  bar.lineTo(margin + pixels, foot);
  bar.lineTo(margin + pixels, foot - 6);
  const theme = themeNow();
  for (const [colour, width] of [
    [theme.halo, 5],
    [theme.label, 1.8],
  ] as const) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(bar);
  }
  pen.strokeStyle = theme.halo;
  pen.lineWidth = 4;
  pen.strokeText(text, margin + 5, foot - 6);
  pen.fillStyle = theme.label;
  pen.fillText(text, margin + 5, foot - 6);
  return canvas;
}

const themeNow = (): Theme => (darkScheme.value ? dark : light);

/** Draws the picture and hands it to the browser to keep. */
export function savePicture(): void {
  const drawn = drawMap();
  const canvas = drawn && framed(drawn);
  if (!canvas) {
    say(t('picture.failed'));
    return;
  }
  canvas.toBlob((blob) => {
    if (!blob) {
      say(t('picture.failed'));
      return;
    }
    const url = URL.createObjectURL(blob);
    const link = document.createElement('a');
    link.href = url;
    link.download = fileName();
    link.click();
    say(t('picture.saved', { name: link.download }));
    // The browser has begun to read it by then.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }, 'image/png');
}

/** The city and the shown time, as a file may be called everywhere. */
function fileName(): string {
  const name = captionOf()
    .title.replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');
  const at = instant.value ? Date.parse(instant.value) : nodeNow();
  const time = localTime(at, timeZone.value).replace('T', '-').replace(':', '');
  return `${name || 'map'}-${time}.png`.toLowerCase();
}

const column = 190;
const row = 24;

/** Title and time above the map, legend and credits below it. */
function framed(picture: HTMLCanvasElement): HTMLCanvasElement | null {
  const { title, time, attribution, legend } = captionOf();
  const ratio = picture.width / (map.value?.width() ?? picture.width);
  const [width, height] = [picture.width / ratio, picture.height / ratio];
  const inner = width - 2 * margin;
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d');
  if (!pen) return null;
  const small = `12px ${face}`;
  pen.font = small;
  const credits = wrapped(pen, attribution, inner);
  pen.font = `700 22px ${face}`;
  const titles = wrapped(pen, title, inner);
  const columns = Math.max(1, Math.floor(inner / column));
  const head = margin + titles.length * 28 + 22;
  const { places, rows } = inColumns(
    legend.map((group) => group.length),
    columns,
  );
  const below = head + height + margin;
  const foot = margin + rows * row + 8 + credits.length * 17 + margin;
  canvas.width = picture.width;
  canvas.height = Math.round((head + height + foot) * ratio);
  pen.scale(ratio, ratio);
  const theme = themeNow();
  pen.fillStyle = theme.halo;
  pen.fillRect(0, 0, width, head + height + foot);
  pen.drawImage(picture, 0, head, width, height);
  pen.fillStyle = theme.chosen;
  pen.font = `700 22px ${face}`;
  titles.forEach((line, index) => pen.fillText(line, margin, margin + 18 + index * 28));
  pen.fillStyle = theme.label;
  pen.font = `14px ${face}`;
  pen.fillText(time, margin, head - 12);
  pen.textBaseline = 'middle';
  const wide = inner / columns;
  legend.forEach((group, at) => {
    const place = places[at] ?? { column: 0, row: 0 };
    group.forEach((entry, line) => {
      const x = margin + place.column * wide;
      drawEntry(pen, entry, theme, { x, y: below + (place.row + line) * row, wide });
    });
  });
  pen.textBaseline = 'alphabetic';
  pen.font = small;
  credits.forEach((line, index) => {
    pen.fillText(line, margin, below + rows * row + 20 + index * 17);
  });
  return canvas;
}

/** A text in lines no wider than this; a word that is wider, as in Chinese, is cut. */
function wrapped(pen: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const part of text.split(/(?<=\s)|(?=[\u3000-\u9fff])/u)) {
    if (line && pen.measureText(line + part).width > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += part;
  }
  return [...lines, line];
}

/** A line of the legend: a mark or a colour and its words, or a heading. */
function drawEntry(
  pen: CanvasRenderingContext2D,
  { text, mark, colour }: Entry,
  theme: Theme,
  { x, y, wide }: { x: number; y: number; wide: number },
): void {
  const indent = mark || colour ? 28 : 0;
  if (mark) drawSymbol(pen, mark, theme, { x, y });
  else if (colour) {
    pen.fillStyle = colour;
    pen.fillRect(x + 2, y + 4, 17, row - 8);
  }
  pen.fillStyle = theme.label;
  pen.font = `${indent ? 400 : 600} 14px ${face}`;
  pen.fillText(text, x + indent, y + row / 2, wide - indent - 8);
}

/** A layer's mark as the legend shows it, in a box of 20 at a place. */
function drawSymbol(
  pen: CanvasRenderingContext2D,
  { role, mark, layer }: LayerState,
  theme: Theme,
  { x, y }: { x: number; y: number },
): void {
  pen.save();
  pen.translate(x, y + (row - 20) / 2);
  pen.scale(20 / 24, 20 / 24);
  if (role !== 'object') {
    pen.fillStyle = theme[role];
    pen.strokeStyle = theme.districtEdge;
    pen.lineWidth = 1;
    pen.fillRect(2.5, 5, 19, 14);
    pen.strokeRect(2.5, 5, 19, 14);
  } else if (layer.geometry === 'LineString') {
    pen.strokeStyle = mark.colour;
    pen.lineWidth = 3.5;
    if (mark.dash.length > 1) pen.setLineDash(mark.dash.map((length) => length * 2.4));
    pen.beginPath();
    pen.moveTo(2, 12);
    pen.lineTo(22, 12);
    pen.stroke();
  } else if (layer.geometry === 'Polygon') {
    pen.strokeStyle = mark.colour;
    pen.fillStyle = mark.colour;
    pen.lineWidth = 2;
    pen.globalAlpha = 0.22;
    pen.fillRect(3, 5, 18, 14);
    pen.globalAlpha = 1;
    pen.strokeRect(3, 5, 18, 14);
  } else {
    const outline = new Path2D(shapes[mark.shape]);
    pen.fillStyle = mark.colour;
    pen.strokeStyle = theme.markEdge;
    pen.lineWidth = 1.6;
    pen.lineJoin = 'round';
    pen.fill(outline);
    pen.stroke(outline);
  }
  pen.restore();
}
