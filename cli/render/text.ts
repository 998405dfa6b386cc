/** Colours and weights of text on a terminal; every function is the identity where they are not wanted. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly red: (text: string) => string;
  readonly cyan: (text: string) => string;
}

const ESCAPE = '\u001b[';

/** SGR codes when `colour` is set, plain text otherwise. */
export function painter(colour: boolean): Paint {
  const code =
    (open: number, close: number) =>
    (text: string): string =>
      colour ? `${ESCAPE}${open}m${text}${ESCAPE}${close}m` : text;
  return {
    bold: code(1, 22),
    dim: code(2, 22),
    green: code(32, 39),
    yellow: code(33, 39),
    red: code(31, 39),
    cyan: code(36, 39),
  };
}

const SGR = new RegExp(`${ESCAPE.replace('[', '\\[')}[0-9;]*m`, 'g');
const SGR_PARTS = new RegExp(`(${SGR.source})`);

/** Columns a text takes on screen: escape sequences take none. Our own texts hold no wide characters. */
export function visibleWidth(text: string): number {
  return Array.from(text.replaceAll(SGR, '')).length;
}

/** Cuts a text to a number of columns; escape sequences stay, so that every colour is closed. */
export function fit(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text;
  let room = Math.max(0, width - 1);
  let cut = '';
  let ended = false;
  for (const part of text.split(SGR_PARTS)) {
    if (part.startsWith(ESCAPE)) {
      cut += part;
      continue;
    }
    const characters = Array.from(part);
    cut += characters.slice(0, room).join('');
    if (characters.length > room && !ended) {
      cut += '…';
      ended = true;
    }
    room = Math.max(0, room - characters.length);
  }
  return cut;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visibleWidth(text)));
}

function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - visibleWidth(text))) + text;
}

/**
 * Text of a model or a data file made safe for a terminal: control characters, which could move the cursor or recolour
 * the screen, are shown as their code.
 */
export function printable(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

/** Whole numbers with separators: 12,345. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** A number of things: 1 row, 1,200 rows. */
export function counted(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? '' : 's'}`;
}

/** A share as a percentage with one digit: 75.3%. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

/** Bytes as 512 B, 2.7 MB or 1.5 GB. */
export function fileSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const size = Math.abs(bytes);
  const power = size < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(size) / 3));
  const digits = power === 0 ? 0 : 1;
  return `${(bytes / 1000 ** power).toFixed(digits)} ${units[power] ?? ''}`;
}

/** Seconds as 0:07, 12:34 or 1:02:03. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${twoDigits(m)}:${twoDigits(s)}` : `${m}:${twoDigits(s)}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** A share of a bar's cells filled: `██████░░░░`. Unknown: all dots. */
export function bar(share: number | null, cells: number): string {
  if (share === null || !Number.isFinite(share)) return '·'.repeat(cells);
  const filled = Math.round(Math.min(1, Math.max(0, share)) * cells);
  return '█'.repeat(filled) + '░'.repeat(cells - filled);
}

/** Columns aligned; the first is text, the others are numbers (right-aligned) unless said otherwise. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  options: { readonly left?: readonly number[]; readonly paint: Paint },
): string[] {
  const left = new Set(options.left ?? [0]);
  const widths = header.map((title, column) =>
    Math.max(visibleWidth(title), ...rows.map((row) => visibleWidth(row[column] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        left.has(column) ? padEnd(cell, widths[column] ?? 0) : padStart(cell, widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [
    line(header.map((title) => options.paint.bold(title))),
    options.paint.dim(widths.map((width) => '─'.repeat(width)).join('  ')),
    ...rows.map(line),
  ];
}
