import type { CurvePoint, ExperimentRunResult } from '../contracts/experiment.ts';
import { seedBand } from '../dashboard/model/seed-bands.ts';
import { pictureSvg } from './line-picture.ts';
import { percentText, SAMPLE_WIDTH, type Line, type Panel } from './line-panel.ts';

/** Told apart by common kinds of colour vision, on light and on dark ground. */
const COLOURS = [
  '#1f77b4',
  '#d17a00',
  '#1a9e77',
  '#b8519e',
  '#7f6bd6',
  '#9a7b1d',
  '#c44e52',
] as const;
/** Of an arm, and of the same one with a curriculum; then of those for which colours begin anew. */
const DASHES = [undefined, '7 4', '2 3', '9 3 2 3', '4 2 1 2', '1 4'] as const;
/** Of a character of a label, at most. */
const CHARACTER = 7.5;

/** Learning curves of an experiment's arms over generated tokens: means over seeds with 95% bands. The same results give the same bytes. */
export function comparisonSvg(
  experiment: string,
  arms: readonly string[],
  results: readonly ExperimentRunResult[],
): string {
  const shown = arms.filter((arm) => results.some((result) => result.arm === arm));
  const lines = (value: (point: CurvePoint) => number): Line[] =>
    shown.map((arm) => {
      const curves = results
        .filter((result) => result.arm === arm)
        .map(({ curve }) => curve.map((point) => ({ x: point.tokens, y: value(point) })));
      return {
        label: arm,
        ...armStyle(arm, shown),
        style: 'band',
        marked: false,
        points: seedBand(curves).map(({ x, y, low, high }) => ({
          x,
          y,
          ...(low === null || high === null ? {} : { low, high }),
        })),
      };
    });
  const rewards = lines(({ reward }) => reward);
  const matches = lines(({ exactMatch }) => exactMatch);
  const samples = rewards.some(({ dashes }) => dashes !== undefined) ? SAMPLE_WIDTH : 0;
  const letters = Math.max(12, ...shown.map((arm) => arm.length));
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  return pictureSvg({
    title: `Held-out reward and exact match of ${experiment}`,
    description: `${experiment}: ${results.length} runs, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; means with 95% bands over seeds`,
    labelWidth: Math.ceil(20 + samples + CHARACTER * letters),
    panels: [
      panel('Held-out reward', rewards, [-3, 4], (value) => value.toFixed(1).replace('-', '−')),
      panel('Held-out exact match', matches, [0, 1], percentText),
    ],
  });
}

/** A colour for each sampler, and interrupted lines for what it is with a curriculum. */
function armStyle(arm: string, shown: readonly string[]): Pick<Line, 'colour' | 'dashes'> {
  const samplerOf = (each: string): string => {
    const sampler = each.replace(/ \+ \w+$/, '');
    return shown.includes(sampler) ? sampler : each;
  };
  const samplers = [...new Set(shown.map(samplerOf))];
  const place = samplers.indexOf(samplerOf(arm));
  const round = Math.floor(place / COLOURS.length);
  const dashes = DASHES[(2 * round + (arm === samplerOf(arm) ? 0 : 1)) % DASHES.length];
  return {
    colour: COLOURS[place % COLOURS.length] ?? COLOURS[0],
    ...(dashes === undefined ? {} : { dashes }),
  };
}

/**
 * As high as the means and half of that beside them: all of the scale, or all of the bands of a few seeds, would press the differences
 * flat. Bands end at the edge.
 */
function panel(
  title: string,
  lines: readonly Line[],
  limits: readonly [number, number],
  yText: (value: number) => string,
): Panel {
  const points = lines.flatMap((line) => line.points);
  const means = points.map(({ y }) => y);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const margin = Math.max(0.01, (high - low) / 2);
  const yLow = Math.max(limits[0], low - margin);
  const yHigh = Math.min(limits[1], high + margin);
  const inside = (value: number): number => Math.min(yHigh, Math.max(yLow, value));
  return {
    title,
    xTitle: 'generated tokens',
    xHigh: Math.max(1, ...points.map(({ x }) => x)),
    yLow,
    yHigh,
    yText,
    lines: lines.map((line) => ({
      ...line,
      points: line.points.map((point) => ({
        ...point,
        low: inside(point.low ?? point.y),
        high: inside(point.high ?? point.y),
      })),
    })),
  };
}
