import { DASHBOARD_PATHS } from '../contracts/dashboard-paths.ts';
import { REPORT_SAMPLES, type SampleHistories } from '../contracts/dashboard.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { Answers } from './data/answers.ts';
import { bundlePages, standalonePage } from './pages-bundle.ts';
import type { ReportData } from './model/report-data.ts';

/** Characters of JSON that the tasks of a run's samples, and the completions of its steps, may take. */
const TASKS_SIZE = 2_000_000;
const ROLLOUTS_SIZE = 4_000_000;
/** Steps whose completions a report has at most, evenly spread, the first and the last among them. */
const MOST_STEPS = 8;
/** Samples read side by side. */
const AT_ONCE = 32;

/** Collects what the pages of some runs need. The runs come in the order given. @throws ToolsampleError `not-found` */
export async function reportData(
  answers: Answers,
  runs: readonly string[],
  now: Date,
): Promise<ReportData> {
  const kept: { [path: string]: unknown } = {};
  const leftOut: string[] = [];
  const rollouts: { [run: string]: readonly number[] } = {};
  const overviews = await answers.runs();
  kept[DASHBOARD_PATHS.runs()] = runs.map((run) => {
    const overview = overviews.find((each) => each.run === run);
    if (overview === undefined)
      throw new ToolsampleError('not-found', `there is no run "${run}"`, {
        hint: '`toolsample runs` lists them',
      });
    return overview;
  });
  for (const run of runs) {
    kept[DASHBOARD_PATHS.run(run)] = await answers.run(run);
    const steps = await answers.steps(run, 0);
    kept[DASHBOARD_PATHS.steps(run, 0)] = steps;
    const samples = await answers.samples(run, 'importance', REPORT_SAMPLES);
    kept[DASHBOARD_PATHS.samples(run, 'importance', REPORT_SAMPLES)] = samples;
    if (samples.samples.length < samples.visited) {
      leftOut.push(
        `${run}: the ${samples.samples.length} most important of ${samples.visited} samples`,
      );
    }
    leftOut.push(...(await keepTasks(answers, run, samples, kept)));
    const chosen = spread(
      steps.map(({ step }) => step),
      MOST_STEPS,
    );
    const whole = await keepRollouts(answers, run, chosen, kept);
    rollouts[run] = whole;
    if (whole.length < steps.length)
      leftOut.push(`${run}: completions of ${whole.length} of its ${steps.length} steps`);
  }
  return { madeAt: now.toISOString(), runs, steps: rollouts, answers: kept, leftOut };
}

/** A report as one file. */
export async function reportPage(data: ReportData): Promise<string> {
  const title = data.runs.length === 1 ? (data.runs[0] ?? '') : `${data.runs.length} runs`;
  return standalonePage(await bundlePages(), `${title} – toolsample`, data);
}

async function keepTasks(
  answers: Answers,
  run: string,
  { samples }: SampleHistories,
  kept: { [path: string]: unknown },
): Promise<string[]> {
  let size = 0;
  for (let from = 0; from < samples.length; from += AT_ONCE) {
    const part = samples.slice(from, from + AT_ONCE);
    const details = await Promise.all(
      part.map(async ({ sampleId }) => answers.sample(run, sampleId)),
    );
    size += JSON.stringify(details).length;
    if (size > TASKS_SIZE) return [`${run}: the tasks of ${from} of its samples`];
    for (const detail of details)
      kept[DASHBOARD_PATHS.sample(run, detail.history.sampleId)] = detail;
  }
  return [];
}

/** Keeps whole steps, the last one first, as long as there is room. Returns those that are kept, ascending. */
async function keepRollouts(
  answers: Answers,
  run: string,
  steps: readonly number[],
  kept: { [path: string]: unknown },
): Promise<number[]> {
  const whole: number[] = [];
  let size = 0;
  for (const step of steps.toReversed()) {
    const groups = await answers.groups(run, step);
    const found: { [path: string]: unknown } = { [DASHBOARD_PATHS.groups(run, step)]: groups };
    const details = await Promise.all(
      groups.map(async ({ rank }) => answers.group(run, step, rank)),
    );
    size += JSON.stringify(details).length;
    if (size > ROLLOUTS_SIZE) return whole.toReversed();
    for (const detail of details)
      found[DASHBOARD_PATHS.group(run, step, detail.summary.rank)] = detail;
    Object.assign(kept, found);
    whole.push(step);
  }
  return whole.toReversed();
}

/** Some of a list, evenly spread, its ends among them. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  const last = items.length - 1;
  return Array.from({ length: count }, (_, i) => items[Math.round((i * last) / (count - 1))] as T);
}
