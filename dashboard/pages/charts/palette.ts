import type { SubTask } from '../../../contracts/reward.ts';
import type { Category } from '../../../contracts/sampling.ts';

/**
 * Colours as the style sheet has them, for light and for dark. Told apart by all common kinds of colour vision; lines differ in
 * their dashes, too.
 */
export const TASK_COLOURS: { readonly [task in SubTask]: string } = {
  format: 'var(--c1)',
  name: 'var(--c2)',
  key: 'var(--c3)',
  value: 'var(--c4)',
};
export const TASK_DASHES: { readonly [task in SubTask]: string } = {
  format: '1 3',
  name: '7 3',
  key: '3 2',
  value: '',
};

/** For lines that have no meaning of their own. */
export const LINE_COLOURS = [
  'var(--c1)',
  'var(--c2)',
  'var(--c3)',
  'var(--c4)',
  'var(--c5)',
  'var(--c6)',
] as const;
const LINE_DASHES = ['', '7 3', '3 2', '1 3', '9 3 2 3', '5 2 1 2'] as const;

/** How the line of so many before it is drawn: where colours come around again, their dashes have moved on by one. */
export function lineStyle(index: number): { readonly colour: string; readonly dash: string } {
  const round = Math.floor(index / LINE_COLOURS.length);
  return {
    colour: LINE_COLOURS[index % LINE_COLOURS.length] ?? LINE_COLOURS[0],
    dash: LINE_DASHES[(index + round) % LINE_DASHES.length] ?? LINE_DASHES[0],
  };
}

export function categoryColour(category: Category): string {
  return `var(--cat-${category})`;
}

/** From the bottom of a stack to its top: what still teaches lies together. */
export const CATEGORY_ORDER = [
  'active',
  'hard-live',
  'new',
  'plateau',
  'hard-dead',
  'easy',
] as const satisfies readonly Category[];

/** From the smallest reward to the largest: blue to yellow (cividis), read the same by all kinds of colour vision. */
const HEAT = [
  '#00224e',
  '#1d3f6e',
  '#44546c',
  '#666970',
  '#878278',
  '#aa9d6f',
  '#d0ba5c',
  '#fde737',
] as const;

/** Steps of the scale of rewards, for a legend. */
export const HEAT_SCALE: readonly string[] = HEAT;

/** The colour of a reward between the smallest and the largest that its sample can have. */
export function heatColour(reward: number, min: number, max: number): string {
  const share = max > min ? (reward - min) / (max - min) : 1;
  const index = Math.min(HEAT.length - 1, Math.max(0, Math.floor(share * HEAT.length)));
  return HEAT[index] ?? HEAT[0];
}
