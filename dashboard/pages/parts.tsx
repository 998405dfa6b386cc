import type { ComponentChildren } from 'preact';
import type { RunOverview } from '../../contracts/dashboard.ts';
import { stateText, type RunState } from '../../contracts/run-status.ts';
import type { Category } from '../../contracts/sampling.ts';
import { csvText, type CsvRow } from '../model/csv.ts';

const STATE_SIGNS: { readonly [state in RunState]: string } = {
  running: '▶',
  paused: '❚❚',
  completed: '✓',
  failed: '✕',
  stopped: '■',
};

/** The state of a run: a sign and a word, so that colour is not needed to tell. */
export function StateChip({ run }: { readonly run: Pick<RunOverview, 'state' | 'withoutWorker'> }) {
  const { state, withoutWorker } = run;
  return withoutWorker ? (
    <span class="chip state-without-worker" title="It goes on when a worker is there">
      <span aria-hidden="true">▷</span> {stateText(run)}
    </span>
  ) : (
    <span class={`chip state-${state}`}>
      <span aria-hidden="true">{STATE_SIGNS[state]}</span> {stateText(run)}
    </span>
  );
}

/** The category of a sample. */
export function CategoryChip({ category }: { readonly category: Category }) {
  return (
    <span class="category" title={category}>
      <span class={`swatch cat-${category}`} aria-hidden="true" />
      <span class="label">{category}</span>
    </span>
  );
}

/** Saves rows as a CSV file. */
export function CsvButton(props: {
  readonly name: string;
  /** What the rows are of, for those who cannot see where the button is. */
  readonly of: string;
  readonly rows: () => readonly CsvRow[];
  /** What it says, where there is more than one. */
  readonly text?: string;
}) {
  const { name, of, rows, text = 'CSV' } = props;
  return (
    <button
      type="button"
      class="csv"
      title={`Save the data of “${of}” as CSV`}
      aria-label={`Save the data of “${of}” as CSV`}
      onClick={() => {
        save(`${name}.csv`, csvText(rows()));
      }}
    >
      {text}
    </button>
  );
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replaceAll(/[^\w.-]+/g, '-');
  link.click();
  URL.revokeObjectURL(url);
}

/** What a page shows while it has nothing else to show. */
export function Waiting({ problem }: { readonly problem: string | null }) {
  return problem === null ? (
    <p class="waiting">Reading …</p>
  ) : (
    <p class="problem" role="alert">
      {problem}
    </p>
  );
}

/** Why what is shown may be old; nothing while all is well. */
export function Problem({ problem }: { readonly problem: string | null }) {
  return problem === null ? null : (
    <p class="problem" role="alert">
      {problem}
    </p>
  );
}

/** A share as a bar, with its number beside it left to the caller. */
export function Bar(props: { readonly share: number; readonly label: string }) {
  const share = Math.min(1, Math.max(0, props.share));
  return (
    <span
      class="bar"
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
    >
      <span style={{ width: `${share * 100}%` }} />
    </span>
  );
}

/** A part of a page under a heading. */
export function Section(props: {
  readonly title: string;
  readonly note?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="part">
      <h2>{props.title}</h2>
      {props.note !== undefined && <p class="note">{props.note}</p>}
      {props.children}
    </section>
  );
}
