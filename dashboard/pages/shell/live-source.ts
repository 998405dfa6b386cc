import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { Condition, Source } from './source.ts';

/** Data from the server that this page came from, and news of it by server-sent events. */
export function liveSource(): Source {
  const changes = new Map<() => void, string | null>();
  const conditions = new Set<(condition: Condition) => void>();
  let condition: Condition = 'well';
  let greeted = false;

  const become = (next: Condition): void => {
    if (next === condition) return;
    condition = next;
    for (const listener of conditions) listener(next);
  };
  const changed = (runs: readonly string[] | null): void => {
    for (const [listener, run] of changes) {
      if (runs === null || run === null || runs.includes(run)) listener();
    }
  };

  const events = new EventSource(`/api${DASHBOARD_PATHS.live()}`);
  events.addEventListener('hello', () => {
    // What happened while we were not listening is not told again.
    if (greeted) changed(null);
    greeted = true;
  });
  events.addEventListener('changed', (event) => {
    const { runs } = JSON.parse(event.data as string) as { runs: readonly string[] };
    changed(runs);
  });
  events.addEventListener('trouble', () => {
    become('trouble');
  });
  events.addEventListener('well', () => {
    const recovered = condition !== 'well';
    become('well');
    if (recovered) changed(null);
  });
  events.addEventListener('error', () => {
    become('gone');
  });

  return {
    report: null,
    async load(path) {
      let response: Response;
      try {
        response = await fetch(`/api${path}`);
      } catch {
        throw new Error('The dashboard’s server does not answer.');
      }
      const answer = (await response.json()) as unknown;
      if (response.ok) return answer;
      throw new Error((answer as { problem?: string }).problem ?? `Error ${response.status}`);
    },
    onChange(run, listener) {
      changes.set(listener, run);
      return () => {
        changes.delete(listener);
      };
    },
    onCondition(listener) {
      conditions.add(listener);
      listener(condition);
      return () => {
        conditions.delete(listener);
      };
    },
  };
}
