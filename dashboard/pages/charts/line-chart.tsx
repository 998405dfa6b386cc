import {
  areaY,
  dot,
  gridY,
  lineY,
  ruleX,
  type Markish,
  type PlotOptions,
} from '@observablehq/plot';
import { useMemo } from 'preact/hooks';
import type { CsvRow } from '../../model/csv.ts';
import { extent } from '../../model/extent.ts';
import type { RunMark } from '../../model/run-marks.ts';
import { thinned } from '../../model/thinned.ts';
import { Chart } from './chart.tsx';

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** Interval around y, where there is one. */
  readonly low?: number | null;
  readonly high?: number | null;
}

export interface LineSeries {
  readonly label: string;
  readonly colour: string;
  readonly dash?: string;
  /** `points`: with dots, and whiskers for intervals: what was measured now and then. */
  readonly style?: 'line' | 'quiet' | 'points';
  readonly points: readonly LinePoint[];
}

export interface LineChartProps {
  readonly title: string;
  readonly note?: string | undefined;
  readonly file: string;
  readonly series: readonly LineSeries[];
  readonly yText: (y: number) => string;
  /** What y always shows; default: what there is. */
  readonly yDomain?: readonly [number, number];
  readonly xDomain: readonly [number, number];
  readonly xName: string;
  readonly xText?: (x: number) => string;
  readonly events?: readonly RunMark[];
  readonly height?: number;
}

/** Dots that can be told apart on a line. */
const MOST_DOTS = 80;

/** Values over steps or tokens, with intervals where there are any. */
export function LineChart(props: LineChartProps) {
  const {
    title,
    note,
    file,
    series,
    yText,
    yDomain,
    xDomain,
    xName,
    events,
    xText = String,
  } = props;
  const drawn = useMemo(() => {
    const options: PlotOptions = {
      x: { domain: [...xDomain], label: null, ticks: 5, tickSize: 0, tickFormat: xText },
      y: {
        ...(yDomain === undefined
          ? { nice: true, domain: rangeOf(series) }
          : { domain: [...yDomain], clamp: true }),
        label: null,
        ticks: 4,
        tickSize: 0,
        tickFormat: yText,
      },
    };
    const marks = [
      gridY({ ticks: 4, stroke: 'var(--grid)', strokeOpacity: 1 }),
      ...series.flatMap(seriesMarks),
    ];
    const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort(
      (a, b) => a - b,
    );
    return { options, marks, xs };
  }, [series, yDomain, xDomain[0], xDomain[1]]);
  return (
    <Chart
      title={title}
      note={note}
      file={file}
      rows={() => rowsOf(series, xName)}
      legend={series.map(({ label, colour, dash, style, points }) => ({
        label,
        colour,
        dash,
        shape: style === 'points' ? ('dot' as const) : ('line' as const),
        textAt: (x) => {
          const point = pointAt(points, x);
          return point === undefined ? '–' : yText(point.y);
        },
      }))}
      marks={drawn.marks}
      options={drawn.options}
      xs={drawn.xs}
      height={props.height}
      xText={(x) => `${xName} ${xText(x)}`}
      {...(events === undefined ? {} : { events })}
    />
  );
}

/** From the smallest to the largest value; a line that never moves gets some room, too. */
function rangeOf(series: readonly LineSeries[]): [number, number] {
  const values = series.flatMap(({ points }) =>
    points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]),
  );
  if (values.length === 0) return [0, 1];
  const [low, high] = extent(values);
  return low === high ? [low, low + (Math.abs(low) || 0.01)] : [low, high];
}

function seriesMarks({ points, colour, dash, style = 'line' }: LineSeries): Markish[] {
  const drawn = thinned(points);
  const banded = drawn.filter(
    ({ low, high }) => typeof low === 'number' && typeof high === 'number',
  );
  const line = lineY(drawn, {
    x: 'x',
    y: 'y',
    stroke: colour,
    strokeWidth: style === 'quiet' ? 1.25 : 2,
    ...(dash === undefined || dash === '' ? {} : { strokeDasharray: dash }),
    strokeLinejoin: 'round',
  });
  if (style === 'points') {
    return [
      ruleX(banded, { x: 'x', y1: 'low', y2: 'high', stroke: colour, strokeWidth: 1.25 }),
      line,
      ...(drawn.length > MOST_DOTS ? [] : [dot(drawn, { x: 'x', y: 'y', r: 2.75, fill: colour })]),
    ];
  }
  return [
    areaY(banded, { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.16 }),
    line,
    // A single point makes no line.
    ...(drawn.length === 1 ? [dot(drawn, { x: 'x', y: 'y', r: 2.75, fill: colour })] : []),
  ];
}

/** The point at a place, or the last one before it: between evaluations the last one holds. */
function pointAt(points: readonly LinePoint[], x: number | null): LinePoint | undefined {
  return x === null ? points.at(-1) : points.findLast((point) => point.x <= x);
}

function rowsOf(series: readonly LineSeries[], xName: string): CsvRow[] {
  return series.flatMap(({ label, points }) =>
    points.map(({ x, y, low, high }) => ({ series: label, [xName]: x, value: y, low, high })),
  );
}
