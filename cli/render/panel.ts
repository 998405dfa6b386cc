import { timeLeft, tokenRate } from '../../contracts/pace.ts';
import { SUB_TASKS, type PerSubTask } from '../../contracts/reward.ts';
import {
  stateText,
  type EvaluationStatus,
  type RunStatus,
  type StepStatus,
} from '../../contracts/run-status.ts';
import type { WorkUnderWay } from '../../contracts/temporal.ts';
import { sparkLine } from './spark-line.ts';
import { bar, count, duration, fit, padEnd, percent, visibleWidth, type Paint } from './text.ts';

/** All that the live panel shows. */
export interface PanelState {
  readonly status: RunStatus;
  /** Steps seen so far, oldest first; the pace is taken from the last of them. */
  readonly steps: readonly StepStatus[];
  /** What goes on outside of steps (`warm start: slice 2 of 5`); null when unknown. */
  readonly phase: string | null;
  /** How far the activity under way is; null when unknown. */
  readonly work: WorkUnderWay | null;
  /** Seconds since this command began. */
  readonly elapsed: number;
  readonly workflowUrl: string | null;
  /** What Ctrl-C does. */
  readonly hint: string;
  /** What the user should know now, e.g. that the run is stopping. */
  readonly notice: string | null;
}

/** The live panel, line by line, none wider than `width`. */
export function renderPanel(state: PanelState, width: number, paint: Paint): string[] {
  const { status } = state;
  const lines = [
    [paint.bold(status.run), paintedState(status, paint), paint.dim(duration(state.elapsed))].join(
      '  ',
    ),
    progressLine(state, width, paint),
    ...(status.lastStep === null
      ? []
      : [
          ...stepLines(state, status.lastStep, paint),
          ...masteryLines(status.lastStep, width, paint),
          ...trendLines(state.steps, width, paint),
        ]),
    ...evaluationLine(status.evaluations, width, paint),
    ...(state.workflowUrl === null ? [] : [paint.dim(`Temporal  ${state.workflowUrl}`)]),
    ...(status.state === 'running' || status.state === 'paused'
      ? [state.notice === null ? paint.dim(state.hint) : paint.yellow(state.notice)]
      : []),
  ];
  return lines.map((line) => fit(line, width));
}

function paintedState(status: RunStatus, paint: Paint): string {
  const { state, withoutWorker } = status;
  const well = state === 'completed' || (state === 'running' && !withoutWorker);
  const colour = well ? paint.green : state === 'failed' ? paint.red : paint.yellow;
  return colour(stateText(status));
}

function progressLine(state: PanelState, width: number, paint: Paint): string {
  const { status } = state;
  const over = status.state !== 'running' && status.state !== 'paused';
  const left = over || status.withoutWorker ? null : timeLeft(state.steps, status.totalSteps);
  const share = status.totalSteps === 0 ? 0 : status.step / status.totalSteps;
  const words = [
    ...(status.totalSteps === 0
      ? []
      : [
          `epoch ${status.epoch}`,
          `step ${status.step}/${status.totalSteps}`,
          paint.cyan(bar(share, width < 80 ? 10 : 24)),
        ]),
    left === null ? '' : `${duration(left)} left`,
    state.phase === null || over ? '' : paint.dim(state.phase),
    state.work === null || over || status.withoutWorker ? '' : paint.dim(workText(state.work)),
  ];
  return words.filter((word) => word !== '').join('  ');
}

const WORK_NAMES: { readonly [activity: string]: string } = {
  warmStart: 'warm start',
  gradientShard: 'gradient step',
  gradientStep: 'gradient step',
  evaluateShard: 'evaluation',
  evaluatePolicy: 'evaluation',
};

/** `rollout: 1,234 of 5,120 tokens`. */
export function workText({ activity, done, total, unit }: WorkUnderWay): string {
  return `${WORK_NAMES[activity] ?? activity}: ${count(done)} of ${count(total)} ${unit}`;
}

function stepLines(state: PanelState, last: StepStatus, paint: Paint): string[] {
  const rate = tokenRate(state.steps);
  const dropped = last.groups - last.keptGroups;
  return [
    [
      `reward ${paint.bold(last.reward.toFixed(2))} ± ${last.rewardStd.toFixed(2)}`,
      rate === null ? '' : `${count(rate)} tokens/s`,
      `${count(state.status.generatedTokens)} tokens`,
      `groups ${last.groups}, dropped ${dropped}`,
    ]
      .filter((word) => word !== '')
      .join('   '),
  ];
}

function masteryLines(last: StepStatus, width: number, paint: Paint): string[] {
  const cells = SUB_TASKS.map((task) => {
    const mastery = last.mastery[task];
    const value = mastery === null ? ' – ' : mastery.toFixed(2);
    return padEnd(
      `${task} ${paint.green(bar(mastery, 8))} ${value} ${paint.dim(`×${last.weights[task].toFixed(2)}`)}`,
      27,
    );
  });
  if (width >= 4 * 27 + 8) return [`mastery ${cells.join('')}`.trimEnd()];
  return [
    `mastery ${cells.slice(0, 2).join('')}`.trimEnd(),
    `        ${cells.slice(2).join('')}`.trimEnd(),
  ];
}

const TREND_CELLS = 12;
const TREND_WIDTH = TREND_CELLS + 10;

/** Reward, from its lowest to its highest so far, and mastery, from 0 to 1, over the steps. */
function trendLines(steps: readonly StepStatus[], width: number, paint: Paint): string[] {
  if (steps.length < 2) return [];
  const rewards = steps.map(({ reward }) => reward);
  const cells = [
    trend('reward', paint.cyan(sparkLine(rewards, TREND_CELLS))),
    ...SUB_TASKS.map((task) => {
      const masteries = steps.map(({ mastery }) => mastery[task]);
      return trend(task, paint.green(sparkLine(masteries, TREND_CELLS, [0, 1])));
    }),
  ];
  const perLine = Math.max(1, Math.floor((width - 8) / TREND_WIDTH));
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += perLine) {
    const head = at === 0 ? 'trend   ' : '        ';
    lines.push(`${head}${cells.slice(at, at + perLine).join('')}`.trimEnd());
  }
  return lines;
}

function trend(name: string, line: string): string {
  return padEnd(`${name} ${line}`, TREND_WIDTH);
}

/** The first split's exact match over the steps: that of the first evaluation, and of as many of the last as there is room for. */
function evaluationLine(
  evaluations: readonly EvaluationStatus[],
  width: number,
  paint: Paint,
): string[] {
  const split = evaluations[0]?.split;
  if (split === undefined) return [];
  const [first = '', ...others] = evaluations
    .filter((evaluation) => evaluation.split === split)
    .map(({ step, exactMatch }) => `${paint.dim(`${step}:`)} ${percent(exactMatch)}`);
  const start = `exact match (${split})  ${first}`;
  if (others.length === 0) return [start];
  const lines = others.map(
    (_, skipped) => `${start}${skipped === 0 ? '  ' : ' … '}${others.slice(skipped).join('  ')}`,
  );
  return [lines.find((line) => visibleWidth(line) <= width) ?? lines.at(-1) ?? start];
}

/** `format .99 · name .91 · key – · value –`. */
export function masteryText(mastery: PerSubTask<number | null>): string {
  return SUB_TASKS.map((task) => {
    const value = mastery[task];
    return `${task} ${value === null ? '–' : value.toFixed(2)}`;
  }).join(' · ');
}
