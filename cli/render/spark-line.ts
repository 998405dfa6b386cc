import { mean } from '../../dscl/moments.ts';

const LEVELS = Array.from('▁▂▃▄▅▆▇█');

/**
 * Numbers in time as a line of blocks, at most `cells` long: what does not fit is averaged in equal parts. Unknown: a dot.
 * @param range - Lowest and highest level; default: of the numbers themselves.
 */
export function sparkLine(
  values: readonly (number | null)[],
  cells: number,
  range?: readonly [number, number],
): string {
  const parts = binned(values, cells);
  const known = parts.filter((part) => part !== null);
  const [low, high] = range ?? [Math.min(...known), Math.max(...known)];
  return parts.map((part) => (part === null ? '·' : block((part - low) / (high - low)))).join('');
}

/** Where all numbers are the same there is no scale. */
function block(share: number): string {
  const level = Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0.5;
  return LEVELS[Math.round(level * (LEVELS.length - 1))] ?? '';
}

function binned(values: readonly (number | null)[], cells: number): (number | null)[] {
  if (values.length <= cells) return [...values];
  const border = (cell: number): number => Math.floor((cell * values.length) / cells);
  return Array.from({ length: cells }, (_, cell) => {
    const known = values.slice(border(cell), border(cell + 1)).filter((value) => value !== null);
    return known.length === 0 ? null : mean(known);
  });
}
