import { useMemo } from 'preact/hooks';
import type { RunDetail, StepPoint } from '../../../contracts/dashboard.ts';
import { SUB_TASKS } from '../../../contracts/reward.ts';
import { categoryCounts } from '../../model/category-counts.ts';
import { brief, fixed, percent, span, whole } from '../../model/number-text.ts';
import type { RunMark } from '../../model/run-marks.ts';
import { restSeconds } from '../../model/time-shares.ts';
import { LineChart, type LineSeries } from '../charts/line-chart.tsx';
import {
  CATEGORY_ORDER,
  categoryColour,
  LINE_COLOURS,
  TASK_COLOURS,
  TASK_DASHES,
} from '../charts/palette.ts';
import { StackChart } from '../charts/stack-chart.tsx';
import { Section } from '../parts.tsx';
import { learningSeries } from './learning-series.ts';
import { TimeBar } from './time-bar.tsx';

const SHARE = [0, 1] as const;

/** All pictures of a run, by the question that they answer. */
export function RunCharts(props: {
  readonly detail: RunDetail;
  readonly steps: readonly StepPoint[];
  readonly marks: readonly RunMark[];
}) {
  const { detail, steps, marks } = props;
  const { run, totalSteps } = detail.overview;
  const all = useMemo(() => seriesOf(detail, steps), [detail, steps]);
  const shared = {
    xDomain: [0, Math.max(1, totalSteps)] as const,
    xName: 'step',
    events: marks,
  };
  const file = (name: string): string => `${run}-${name}`;
  return (
    <>
      <Section title="Does it learn?">
        <div class="charts">
          <LineChart
            {...shared}
            title="Reward"
            file={file('reward')}
            series={all.reward}
            yText={(y) => fixed(y, 1)}
            note="Bands and whiskers: 95% intervals. Training rewards are of the prompts that the sampler chose, so only held-out ones compare."
          />
          <LineChart
            {...shared}
            title="Exact match"
            file={file('exact-match')}
            series={all.exactMatch}
            yDomain={SHARE}
            yText={(y) => percent(y, 0)}
          />
        </div>
      </Section>
      <Section title="What is it stuck on?">
        <div class="charts">
          <LineChart
            {...shared}
            title="Mastery of the sub-tasks"
            file={file('mastery')}
            series={all.mastery}
            yDomain={SHARE}
            yText={(y) => fixed(y, 2)}
          />
          <LineChart
            {...shared}
            title="Weights that the curriculum gives them"
            file={file('weights')}
            series={all.weights}
            yText={(y) => fixed(y, 2)}
          />
        </div>
      </Section>
      <Section title="What still teaches?">
        <div class="charts">
          <StackChart
            {...shared}
            title="Samples by category"
            file={file('categories')}
            xs={all.categories.xs}
            layers={all.categories.layers}
            yText={whole}
          />
          <LineChart
            {...shared}
            title="Groups without variance"
            file={file('zero-variance')}
            series={all.zeroVariance}
            yDomain={SHARE}
            yText={(y) => percent(y, 0)}
            note="All completions of such a prompt are rewarded alike: the policy learns nothing from it."
          />
        </div>
      </Section>
      <Section title="Is the optimisation sound?">
        <div class="charts three">
          <LineChart
            {...shared}
            title="Entropy (nats)"
            file={file('entropy')}
            series={all.entropy}
            yText={(y) => fixed(y, 2)}
          />
          {all.kl[0]?.points.length === 0 ? null : (
            <LineChart
              {...shared}
              title="KL to the start"
              file={file('kl')}
              series={all.kl}
              yText={(y) => fixed(y, 3)}
            />
          )}
          <LineChart
            {...shared}
            title="Tokens clipped"
            file={file('clip')}
            series={all.clip}
            yText={(y) => percent(y)}
          />
          <LineChart
            {...shared}
            title="Gradient norm"
            file={file('gradient-norm')}
            series={all.gradNorm}
            yText={(y) => fixed(y, 2)}
          />
          <LineChart
            {...shared}
            title="Completion length (tokens)"
            file={file('lengths')}
            series={all.lengths}
            yText={whole}
          />
          <LineChart
            {...shared}
            title="Completions cut off"
            file={file('cut-off')}
            series={all.cutOff}
            yText={(y) => percent(y)}
          />
        </div>
      </Section>
      <Section title="Where does the time go?">
        <TimeBar detail={detail} steps={steps} />
        <div class="charts">
          <StackChart
            {...shared}
            title="Seconds of a step"
            file={file('seconds')}
            xs={all.time.xs}
            layers={all.time.layers}
            yText={(y) => (y === 0 ? '0' : span(y))}
          />
          <LineChart
            {...shared}
            title="Tokens per second"
            file={file('tokens-per-second')}
            series={all.speed}
            yText={brief}
            note="Generated tokens per second of rollout, of all workers together."
          />
        </div>
      </Section>
    </>
  );
}

function seriesOf(detail: RunDetail, steps: readonly StepPoint[]) {
  const line = (
    label: string,
    value: (step: StepPoint) => number | null,
    place = 0,
    dash = '',
  ): LineSeries => ({
    label,
    colour: LINE_COLOURS[place] ?? LINE_COLOURS[0],
    dash,
    points: steps.flatMap((step) => {
      const y = value(step);
      return y === null ? [] : [{ x: step.step, y }];
    }),
  });
  const perTask = (value: (step: StepPoint) => StepPoint['mastery']): LineSeries[] =>
    SUB_TASKS.map((task) => ({
      ...line(task, (step) => value(step)[task]),
      colour: TASK_COLOURS[task],
      dash: TASK_DASHES[task],
    }));
  const counts = categoryCounts(steps, detail.corpusSamples);
  return {
    ...learningSeries(detail, steps),
    mastery: perTask(({ mastery }) => mastery),
    weights: perTask(({ weights }) => weights),
    categories: {
      xs: counts.map(({ step }) => step),
      layers: CATEGORY_ORDER.map((category) => ({
        label: category,
        colour: categoryColour(category),
        values: counts.map((each) => each[category]),
      })),
    },
    zeroVariance: [line('without variance', ({ zeroVariance }) => zeroVariance)],
    entropy: [line('entropy', ({ entropy }) => entropy)],
    kl: [line('KL', ({ kl }) => kl)],
    clip: [
      line('below', ({ clipLow }) => clipLow, 0),
      line('above', ({ clipHigh }) => clipHigh, 1, '7 3'),
    ],
    gradNorm: [line('before clipping', ({ gradNorm }) => gradNorm)],
    lengths: [line('mean', ({ meanLength }) => meanLength)],
    cutOff: [line('cut off', ({ cutOff }) => cutOff)],
    speed: [
      line('tokens/s', ({ generatedTokens, rolloutSeconds }) =>
        rolloutSeconds > 0 ? generatedTokens / rolloutSeconds : null,
      ),
    ],
    time: {
      xs: steps.map(({ step }) => step),
      layers: [
        {
          label: 'rollouts',
          colour: 'var(--t-rollouts)',
          values: steps.map((step) => step.rolloutSeconds),
        },
        {
          label: 'gradient',
          colour: 'var(--t-gradient)',
          values: steps.map((step) => step.gradientSeconds),
        },
        { label: 'rest', colour: 'var(--t-rest)', values: steps.map(restSeconds) },
      ],
    },
  };
}
