import { useEffect, useState } from 'preact/hooks';
import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { StepPoint } from '../../../contracts/dashboard.ts';
import { useSource } from './source.ts';

/** What is known of an answer: the last one that came, and why there is no newer one. */
export interface Answer<T> {
  readonly value: T | undefined;
  readonly problem: string | null;
}

/** Between two readings of the same, however much happens. */
const PAUSE_MILLISECONDS = 1_000;

/**
 * The answer at a path, read again whenever there is something new of the run (null: of any). Nothing is asked while the path is
 * null. An older answer stays while a newer one cannot be had.
 */
export function useAnswer<T>(path: string | null, run: string | null): Answer<T> {
  return useReading(path, run, async (load) =>
    path === null ? undefined : ((await load(path)) as T),
  );
}

/** The committed steps of a run; only new ones are asked for. */
export function useSteps(run: string): Answer<readonly StepPoint[]> {
  return useReading<readonly StepPoint[]>(run, run, async (load, known) => {
    const after = known?.at(-1)?.step ?? 0;
    const news = (await load(DASHBOARD_PATHS.steps(run, after))) as readonly StepPoint[];
    return known === undefined ? news : [...known, ...news];
  });
}

type Load = (path: string) => Promise<unknown>;

/** Reads at once and at every change; one reading at a time, so that answers cannot overtake one another. */
export function useReading<T>(
  key: string | null,
  run: string | null,
  read: (load: Load, known: T | undefined) => Promise<T | undefined>,
): Answer<T> {
  const source = useSource();
  const [shown, show] = useState<Answer<T> & { readonly key: string | null }>({
    key,
    value: undefined,
    problem: null,
  });
  useEffect(() => {
    if (key === null) return undefined;
    let dropped = false;
    let busy = false;
    let again = false;
    let value: T | undefined;
    const load: Load = async (path) => source.load(path);
    const readAll = async (): Promise<void> => {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      try {
        value = await read(load, value);
        if (!dropped) show({ key, value, problem: null });
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        if (!dropped) show({ key, value, problem });
      }
      setTimeout(() => {
        busy = false;
        if (!again || dropped) return;
        again = false;
        void readAll();
      }, PAUSE_MILLISECONDS);
    };
    void readAll();
    const release = source.onChange(run, () => {
      void readAll();
    });
    return () => {
      dropped = true;
      release();
    };
  }, [source, key, run]);
  return shown.key === key ? shown : { value: undefined, problem: null };
}
