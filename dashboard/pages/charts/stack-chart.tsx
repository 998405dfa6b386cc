import { areaY, gridY, type Markish, type PlotOptions } from '@observablehq/plot';
import { useMemo } from 'preact/hooks';
import type { CsvRow } from '../../model/csv.ts';
import type { RunMark } from '../../model/run-marks.ts';
import { thinned } from '../../model/thinned.ts';
import { Chart } from './chart.tsx';

export interface StackLayer {
  readonly label: string;
  readonly colour: string;
  /** One value for each place. */
  readonly values: readonly number[];
}

export interface StackChartProps {
  readonly title: string;
  readonly note?: string | undefined;
  readonly file: string;
  readonly xs: readonly number[];
  /** From the bottom to the top. */
  readonly layers: readonly StackLayer[];
  readonly yText: (y: number) => string;
  readonly xDomain: readonly [number, number];
  readonly xName: string;
  readonly events?: readonly RunMark[];
}

/** Parts of a whole over steps. */
export function StackChart(props: StackChartProps) {
  const { title, note, file, xs, layers, yText, xDomain, xName, events } = props;
  const drawn = useMemo(() => {
    const options: PlotOptions = {
      x: { domain: [...xDomain], label: null, ticks: 5, tickSize: 0, tickFormat: String },
      y: { nice: true, label: null, ticks: 4, tickSize: 0, tickFormat: yText },
    };
    return {
      options,
      marks: [
        gridY({ ticks: 4, stroke: 'var(--grid)', strokeOpacity: 1 }),
        ...layerMarks(xs, layers),
      ],
    };
  }, [xs, layers, xDomain[0], xDomain[1]]);
  const valueAt = (values: readonly number[], x: number | null): string => {
    const value = x === null ? values.at(-1) : values[xs.indexOf(x)];
    return value === undefined ? '–' : yText(value);
  };
  return (
    <Chart
      title={title}
      note={note}
      file={file}
      rows={() => rowsOf(xs, layers, xName)}
      legend={layers.toReversed().map(({ label, colour, values }) => ({
        label,
        colour,
        shape: 'area',
        textAt: (x) => valueAt(values, x),
      }))}
      marks={drawn.marks}
      options={drawn.options}
      xs={xs}
      xText={(x) => `${xName} ${x}`}
      {...(events === undefined ? {} : { events })}
    />
  );
}

function layerMarks(xs: readonly number[], layers: readonly StackLayer[]): Markish[] {
  let floor = xs.map(() => 0);
  return layers.map(({ colour, values }) => {
    const bottom = floor;
    floor = bottom.map((base, index) => base + (values[index] ?? 0));
    const points = xs.map((x, index) => ({
      x,
      y: floor[index] ?? 0,
      low: bottom[index] ?? 0,
      high: floor[index] ?? 0,
    }));
    // A hair of the ground between layers tells neighbours apart without colour.
    return areaY(thinned(points), {
      x: 'x',
      y1: 'low',
      y2: 'high',
      fill: colour,
      stroke: 'var(--surface)',
      strokeWidth: 0.75,
    });
  });
}

function rowsOf(xs: readonly number[], layers: readonly StackLayer[], xName: string): CsvRow[] {
  return xs.map((x, index) => ({
    [xName]: x,
    ...Object.fromEntries(layers.map(({ label, values }) => [label, values[index]])),
  }));
}
