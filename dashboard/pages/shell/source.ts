import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

/** `trouble`: the database does not answer. `gone`: the dashboard's own server does not. */
export type Condition = 'well' | 'trouble' | 'gone';

/** Where the pages have their data from: a server, or the report they are part of. */
export interface Source {
  /** Of a report: when it was made, of what, and what it leaves out. */
  readonly report: {
    readonly madeAt: string;
    readonly runs: readonly string[];
    /** Steps whose completions it has, by run, ascending. */
    readonly steps: { readonly [run: string]: readonly number[] };
    readonly leftOut: readonly string[];
  } | null;
  /** The answer at a path. @throws Error that says in a sentence why there is none */
  load(path: string): Promise<unknown>;
  /** Calls back when there is something new of a run (null: of any), until the returned function is called. */
  onChange(run: string | null, listener: () => void): () => void;
  /** Calls back at once and whenever that changes, until the returned function is called. */
  onCondition(listener: (condition: Condition) => void): () => void;
}

export const SourceContext = createContext<Source | null>(null);

/** The source of the pages around. */
export function useSource(): Source {
  const source = useContext(SourceContext);
  if (source === null) throw new Error('a page without a source');
  return source;
}
