/** A point of a line; both values in the panel's own units. */
export interface Point {
  readonly x: number;
  readonly y: number;
  /** Ends of an interval around `y`. */
  readonly low?: number;
  readonly high?: number;
}

export interface Line {
  readonly label: string;
  readonly colour: string;
  readonly points: readonly Point[];
  /** How intervals are drawn, and whether points are marked. Default: a line alone. */
  readonly style?: 'band' | 'whiskers';
  /** Marks the points; default: as the style says. */
  readonly marked?: boolean;
  /** How the line is interrupted, as SVG's `stroke-dasharray`, and shown before its label. Default: as the style says. */
  readonly dashes?: string;
}

/** One coordinate system: values from `yLow` to `yHigh` over numbers from 0 to `xHigh`. */
export interface Panel {
  readonly title: string;
  readonly xTitle: string;
  readonly xHigh: number;
  readonly yLow: number;
  readonly yHigh: number;
  /** How a value is written beside its grid line. */
  readonly yText: (value: number) => string;
  readonly lines: readonly Line[];
}

/** Where a panel's plot lies; titles and labels are drawn around it. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const LABEL_HEIGHT = 15;
/** Of the piece of an interrupted line before its label, and with the space behind it. */
const SAMPLE = 18;
export const SAMPLE_WIDTH = 24;

/** A panel as SVG elements. Colours of text, grid and ground are the classes `text`, `quiet` and `grid` of the picture. */
export function panelElements(panel: Panel, frame: Frame): string[] {
  const { left, top, width, height } = frame;
  const x = (value: number): number => left + (value / panel.xHigh) * width;
  const y = (value: number): number =>
    top + ((panel.yHigh - value) / (panel.yHigh - panel.yLow)) * height;
  const yTicks = ticks(panel.yLow, panel.yHigh);
  const xTicks = ticks(0, panel.xHigh);
  const labels = spreadLabels(
    panel.lines.map((line) => y(line.points.at(-1)?.y ?? 0)),
    top,
    top + height,
  );
  return [
    text(left, top - 16, panel.title, 'text title'),
    ...yTicks.flatMap((value) => [
      segment(left, y(value), left + width, y(value), 'grid'),
      text(left - 8, y(value) + 4, panel.yText(value), 'quiet end'),
    ]),
    ...xTicks.map((value) => text(x(value), top + height + 18, shortNumber(value), 'quiet middle')),
    text(left + width / 2, top + height + 38, panel.xTitle, 'quiet middle'),
    ...panel.lines.flatMap((line, i) => [
      ...lineElements(line, x, y),
      ...labelElements(line, left + width + 8, labels[i] ?? 0),
    ]),
  ];
}

function labelElements({ label, colour, dashes }: Line, x: number, y: number): string[] {
  const named = (at: number): string =>
    `<text x="${fixed(at)}" y="${fixed(y + 4)}" fill="${colour}">${escaped(label)}</text>`;
  if (dashes === undefined) return [named(x)];
  const sample = `M${fixed(x)},${fixed(y)}L${fixed(x + SAMPLE)},${fixed(y)}`;
  return [
    `<path d="${sample}" stroke="${colour}" stroke-width="2"${interrupted(dashes)}/>`,
    named(x + SAMPLE_WIDTH),
  ];
}

function interrupted(dashes: string | undefined): string {
  return dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`;
}

function lineElements(
  {
    points,
    colour,
    style,
    marked = style !== undefined,
    dashes = style === 'whiskers' ? '5 4' : undefined,
  }: Line,
  x: (value: number) => number,
  y: (value: number) => number,
): string[] {
  const at = (across: number, up: number): string => `${fixed(x(across))},${fixed(y(up))}`;
  const path = points.map((point) => at(point.x, point.y)).join(' ');
  const low = points.map((point) => at(point.x, point.low ?? point.y));
  const high = points.map((point) => at(point.x, point.high ?? point.y));
  const band = `<polygon points="${[...high, ...low.toReversed()].join(' ')}" fill="${colour}" fill-opacity="0.18"/>`;
  const whiskers = points.map(
    (point) =>
      `<path d="M${at(point.x, point.low ?? point.y)}L${at(point.x, point.high ?? point.y)}" stroke="${colour}" stroke-width="1.5"/>`,
  );
  const marks = points.map(
    (point) =>
      `<circle cx="${fixed(x(point.x))}" cy="${fixed(y(point.y))}" r="3.5" fill="${colour}"/>`,
  );
  return [
    ...(style === 'band' ? [band] : []),
    ...(style === 'whiskers' ? whiskers : []),
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${interrupted(dashes)}/>`,
    ...(marked ? marks : []),
  ];
}

/** Heights for labels near the wanted ones, so far apart that none covers another. */
function spreadLabels(wanted: readonly number[], top: number, bottom: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const placed: number[] = [];
  let next = top;
  for (const [rank, index] of order.entries()) {
    const room = bottom - (order.length - 1 - rank) * LABEL_HEIGHT;
    const height = Math.min(Math.max(wanted[index] ?? 0, next), room);
    placed[index] = height;
    next = height + LABEL_HEIGHT;
  }
  return placed;
}

/** Four to eight round numbers from `low` to `high`. */
function ticks(low: number, high: number): number[] {
  const magnitude = 10 ** Math.floor(Math.log10(high - low));
  const step =
    [0.2, 0.25, 0.5, 1].map((part) => part * magnitude).find((s) => (high - low) / s < 8) ??
    magnitude;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

/** A share in percent. */
export function percentText(share: number): string {
  return `${Math.round(100 * share)}%`;
}

function shortNumber(value: number): string {
  return value >= 1000 ? `${value / 1000}k` : String(value);
}

function segment(x1: number, y1: number, x2: number, y2: number, name: string): string {
  return `<path d="M${fixed(x1)},${fixed(y1)}L${fixed(x2)},${fixed(y2)}" class="${name}"/>`;
}

/** A line of text; `classes` also say how it is aligned. */
export function text(x: number, y: number, content: string, classes: string): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" class="${classes}">${escaped(content)}</text>`;
}

export function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}
