import type { SampleOrder } from './dashboard.ts';

const run = (id: string): string => `/runs/${encodeURIComponent(id)}`;

/** Where the dashboard's server and a report keep what the pages show: one path for each answer. */
export const DASHBOARD_PATHS = {
  /** {@link import('./dashboard.ts').RunOverview}, newest first. */
  runs: (): string => '/runs',
  /** {@link import('./dashboard.ts').RunDetail} */
  run,
  /** {@link import('./dashboard.ts').StepPoint}s after a step. */
  steps: (id: string, after: number): string => `${run(id)}/steps?after=${after}`,
  /** {@link import('./dashboard.ts').SampleHistories} */
  samples: (id: string, order: SampleOrder, limit: number): string =>
    `${run(id)}/samples?order=${order}&limit=${limit}`,
  /** {@link import('./dashboard.ts').SampleDetail} */
  sample: (id: string, sampleId: string): string =>
    `${run(id)}/samples/${encodeURIComponent(sampleId)}`,
  /** {@link import('./dashboard.ts').GroupSummary}s of a step. */
  groups: (id: string, step: number): string => `${run(id)}/steps/${step}/groups`,
  /** {@link import('./dashboard.ts').GroupDetail} */
  group: (id: string, step: number, rank: number): string =>
    `${run(id)}/steps/${step}/groups/${rank}`,
  /** Server-sent events: which runs changed. */
  live: (): string => '/live',
} as const;
