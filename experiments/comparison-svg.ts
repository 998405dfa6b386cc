import type { CurvePoint, ExperimentRunResult } from '../contracts/experiment.ts';
import { seedBand } from '../dashboard/model/seed-bands.ts';
import { pictureSvg } from './line-picture.ts';
import { percentText, type Line, type Panel } from './line-panel.ts';

/** Told apart by common kinds of colour vision, on light and on dark ground; with more arms they begin anew. */
const COLOURS = [
  '#1f77b4',
  '#d17a00',
  '#1a9e77',
  '#b8519e',
  '#7f6bd6',
  '#9a7b1d',
  '#c44e52',
] as const;
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
    shown.map((arm, i) => {
      const curves = results
        .filter((result) => result.arm === arm)
        .map(({ curve }) => curve.map((point) => ({ x: point.tokens, y: value(point) })));
      return {
        label: arm,
        colour: COLOURS[i % COLOURS.length] ?? COLOURS[0],
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
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  return pictureSvg({
    title: `Held-out reward and exact match of ${experiment}`,
    description: `${experiment}: ${results.length} runs, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; means with 95% bands over seeds`,
    labelWidth: Math.ceil(20 + CHARACTER * Math.max(12, ...shown.map((arm) => arm.length))),
    panels: [
      panel('Held-out reward', rewards, (value) => value.toFixed(1).replace('-', '−')),
      panel('Held-out exact match', matches, percentText),
    ],
  });
}

/** As high as what is drawn: all of the scale would press the differences flat. */
function panel(title: string, lines: readonly Line[], yText: (value: number) => string): Panel {
  const points = lines.flatMap((line) => line.points);
  const ends = points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const margin = Math.max(0.01, (high - low) * 0.03);
  return {
    title,
    xTitle: 'generated tokens',
    xHigh: Math.max(1, ...points.map(({ x }) => x)),
    yLow: low - margin,
    yHigh: high + margin,
    yText,
    lines,
  };
}
