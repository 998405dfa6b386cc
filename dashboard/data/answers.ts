import type {
  GroupDetail,
  GroupSummary,
  RunDetail,
  RunOverview,
  SampleDetail,
  SampleHistories,
  SampleOrder,
  StepPoint,
} from '../../contracts/dashboard.ts';
import type { Database } from '../../db/connection.ts';
import { runDetail } from '../../db/run-detail.ts';
import { runOverviews } from '../../db/run-overview.ts';
import { readRun } from '../../db/runs.ts';
import { sampleHistories, sampleHistory } from '../../db/sample-history.ts';
import { stepGroup, stepGroups } from '../../db/step-groups.ts';
import { stepPoints } from '../../db/step-points.ts';
import { groupDetail } from './group-detail.ts';
import { shownTask } from './shown-task.ts';

/** All that the pages can ask for, from Postgres; a report keeps some of the answers. */
export interface Answers {
  runs(): Promise<RunOverview[]>;
  /** @throws ToolsampleError `not-found`, as all that name a run */
  run(run: string): Promise<RunDetail>;
  /** The committed steps after a step. */
  steps(run: string, after: number): Promise<StepPoint[]>;
  samples(run: string, order: SampleOrder, limit: number): Promise<SampleHistories>;
  sample(run: string, sampleId: string): Promise<SampleDetail>;
  groups(run: string, step: number): Promise<GroupSummary[]>;
  group(run: string, step: number, rank: number): Promise<GroupDetail>;
}

/** The answers as the database has them at each call. */
export function answersFrom(db: Database): Answers {
  return {
    runs: async () => runOverviews(db),
    run: async (run) => runDetail(db, run),
    steps: async (run, after) => {
      await readRun(db, run);
      return stepPoints(db, run, after);
    },
    samples: async (run, order, limit) => sampleHistories(db, run, { order, limit }),
    sample: async (run, sampleId) => {
      const { history, sample } = await sampleHistory(db, run, sampleId);
      return { history, ...shownTask(sample) };
    },
    groups: async (run, step) => {
      await readRun(db, run);
      return stepGroups(db, run, step);
    },
    group: async (run, step, rank) => {
      const { config } = await readRun(db, run);
      return groupDetail(await stepGroup(db, run, step, rank), config.valueMatch);
    },
  };
}
