import { plot, ruleX, text, type Markish, type PlotOptions, type Scale } from '@observablehq/plot';
import type { RefObject } from 'preact';
import { useContext, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CsvRow } from '../../model/csv.ts';
import type { RunMark } from '../../model/run-marks.ts';
import { CsvButton } from '../parts.tsx';
import { CursorContext } from './cursor.ts';
import { Legend, type LegendEntry } from './legend.tsx';
import { useWidth } from './use-width.ts';

export interface ChartProps {
  readonly title: string;
  /** What has to be known to read it. */
  readonly note?: string | undefined;
  /** Name of the file that the data are saved in. */
  readonly file: string;
  readonly rows: () => readonly CsvRow[];
  readonly legend: readonly LegendEntry[];
  readonly marks: readonly Markish[];
  readonly options: PlotOptions;
  /** Places at which there is something, ascending: what the cursor steps over. */
  readonly xs: readonly number[];
  readonly xText: (x: number) => string;
  readonly events?: readonly RunMark[];
  /** In CSS pixels. */
  readonly height?: number | undefined;
}

const HEIGHT = 180;
/** Numbers of events that can be told apart on a line. */
const MOST_NUMBERS = 16;
/** One list, always the same: another one would be drawn anew. */
const NO_EVENTS: readonly RunMark[] = [];
/** Room for the numbers of events above the picture. */
const MARGINS = { marginTop: 14, marginRight: 12, marginBottom: 22, marginLeft: 42 } as const;

/**
 * A picture with its legend, its data as CSV, and a cursor that follows the pointer, a finger or the arrow keys.
 * The picture is SVG: it takes its colours from the style sheet, and so changes with light and dark without being drawn anew.
 */
export function Chart(props: ChartProps) {
  const { title, legend, xs, xText } = props;
  const place = useRef<HTMLDivElement>(null);
  const scale = useDrawing(place, props, useWidth(place));
  const { x: cursor, move } = useContext(CursorContext);
  const at = cursor === null ? null : nearest(xs, cursor);
  const left = at === null || scale === null ? null : Number(scale.apply(at));
  const last = xs.at(-1) ?? 0;

  const point = (event: PointerEvent): void => {
    if (scale?.invert === undefined || place.current === null) return;
    const offset = event.clientX - place.current.getBoundingClientRect().left;
    move(nearest(xs, Number(scale.invert(offset))));
  };
  const leave = (): void => {
    move(null);
  };
  const press = (event: KeyboardEvent): void => {
    const next = afterKey(event.key, xs, at);
    if (next === undefined) return;
    event.preventDefault();
    move(next);
  };
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        <span class="where">{at === null ? '' : xText(at)}</span>
        <CsvButton name={props.file} of={title} rows={props.rows} />
      </figcaption>
      <Legend entries={legend} at={at} />
      <div
        class="canvas"
        tabIndex={xs.length === 0 ? -1 : 0}
        role="slider"
        aria-label={`${title}. Arrow keys move along the picture.`}
        aria-valuemin={xs[0] ?? 0}
        aria-valuemax={last}
        aria-valuenow={at ?? last}
        aria-valuetext={`${xText(at ?? last)}: ${legend.map(({ label, textAt }) => `${label} ${textAt(at)}`).join(', ')}`}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={leave}
        onKeyDown={press}
        onBlur={leave}
      >
        <div class="drawing" ref={place} style={{ height: `${props.height ?? HEIGHT}px` }} />
        {left !== null && <div class="cursor" style={{ left: `${left}px` }} />}
      </div>
      {props.note !== undefined && <p class="note">{props.note}</p>}
    </figure>
  );
}

/** Draws when the data or the width change; the scale of x, once there is a picture. */
function useDrawing(
  place: RefObject<HTMLDivElement | null>,
  { marks, options, events = NO_EVENTS, height = HEIGHT }: ChartProps,
  width: number,
): Scale | null {
  const [scale, setScale] = useState<Scale | null>(null);
  useLayoutEffect(() => {
    if (place.current === null || width < 80) return;
    const drawn = plot({
      width,
      height,
      ...MARGINS,
      className: 'plot',
      ...options,
      marks: [...marks, ...eventMarks(events)],
    });
    // The policy of these pages admits our own style sheet alone; it has these rules.
    drawn.querySelector('style')?.remove();
    place.current.replaceChildren(drawn);
    setScale(drawn.scale('x') ?? null);
  }, [marks, options, events, width, height]);
  return scale;
}

/** A thin line where something happened, with the numbers under which the list of events has it. */
function eventMarks(events: readonly RunMark[]): Markish[] {
  const steps = [...new Set(events.map(({ step }) => step))];
  const places = steps.map((step) => {
    const numbers = events.filter((event) => event.step === step).map(({ number }) => number);
    const [first, last] = [numbers[0] ?? 0, numbers.at(-1) ?? 0];
    return { step, label: first === last ? String(first) : `${first}–${last}` };
  });
  return [
    ruleX(places, {
      x: 'step',
      stroke: 'var(--mark)',
      strokeDasharray: '2 3',
      strokeOpacity: places.length > MOST_NUMBERS ? 0.3 : 1,
    }),
    text(places.length > MOST_NUMBERS ? [] : places, {
      x: 'step',
      text: 'label',
      frameAnchor: 'top',
      dy: -9,
      fill: 'var(--mark)',
      fontSize: 10,
    }),
  ];
}

function nearest(xs: readonly number[], wanted: number): number | null {
  let best: number | null = null;
  for (const x of xs) {
    if (best === null || Math.abs(x - wanted) < Math.abs(best - wanted)) best = x;
  }
  return best;
}

/** Where a key moves the cursor; undefined for a key that does not. */
function afterKey(
  key: string,
  xs: readonly number[],
  at: number | null,
): number | null | undefined {
  const index = at === null ? xs.length : xs.indexOf(at);
  const place = (wanted: number): number | null =>
    xs[Math.min(xs.length - 1, Math.max(0, wanted))] ?? null;
  switch (key) {
    case 'ArrowLeft':
      return place(index - 1);
    case 'ArrowRight':
      return place(index + 1);
    case 'Home':
      return place(0);
    case 'End':
      return place(xs.length - 1);
    case 'Escape':
      return null;
    default:
      return undefined;
  }
}
