/** What stands for a number that there is none of. */
const NONE = '–';

/** A number with a fixed count of digits and a real minus sign. */
export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined || !Number.isFinite(value)
    ? NONE
    : value.toFixed(digits).replace('-', '−');
}

/** A change, with its sign. */
export function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}

/** Whole numbers with separators: 12,345. */
export function whole(value: number | null | undefined): string {
  return value === null || value === undefined
    ? NONE
    : Math.round(value).toLocaleString('en-US').replace('-', '−');
}

/** A number of things: 1 message, 1,200 messages. */
export function counted(value: number, thing: string): string {
  return `${whole(value)} ${thing}${value === 1 ? '' : 's'}`;
}

/** Large numbers in brief: 205k, 1.4M. */
export function brief(value: number): string {
  const size = Math.abs(value);
  if (size < 1000) return String(Math.round(value));
  if (size < 1e6) return `${digits(value / 1e3)}k`;
  return size < 1e9 ? `${digits(value / 1e6)}M` : `${digits(value / 1e9)}G`;
}

function digits(value: number): string {
  return Math.abs(value) < 10 ? String(Number(value.toFixed(1))) : value.toFixed(0);
}

/** A share as a percentage: 75.3%. */
export function percent(share: number | null | undefined, places = 1): string {
  return share === null || share === undefined ? NONE : `${fixed(share * 100, places)}%`;
}

/** Seconds as people say them: 9.6 s, 2 min 48 s, 3 h 05 min, 2 d 4 h. */
export function span(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${two(total % 60)} s`;
  const minutes = Math.round(total / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A moment of the reader's own time zone, to the minute: 2026-11-24 08:32. */
export function moment(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return NONE;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
