import { useMemo } from 'preact/hooks';
import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { SampleDetail, SampleHistory } from '../../../contracts/dashboard.ts';
import { fixed, percent } from '../../model/number-text.ts';
import { firstVisit, visitRows } from '../../model/sample-order.ts';
import { CursorProvider } from '../charts/cursor-provider.tsx';
import { LineChart } from '../charts/line-chart.tsx';
import { CategoryChip, CsvButton, Problem, Section, Waiting } from '../parts.tsx';
import { hrefOf } from '../../model/route.ts';
import { useAnswer } from '../shell/use-answer.ts';
import { Task } from './task.tsx';

/** One sample's life: its task, and each visit from new to mastered, or not. */
export function SamplePage(props: { readonly run: string; readonly sample: string }) {
  const { run, sample } = props;
  const { value, problem } = useAnswer<SampleDetail>(DASHBOARD_PATHS.sample(run, sample), run);
  if (value === undefined) return <Waiting problem={problem} />;
  const { history } = value;
  return (
    <>
      <Problem problem={problem} />
      <div class="page-head">
        <h1>
          {sample} <span class="muted">in {run}</span>
        </h1>
        <CategoryChip category={history.category} />
      </div>
      <Task task={value} />
      <CursorProvider>
        <LifeCharts run={run} history={history} />
      </CursorProvider>
      <Section title="Visits">
        <Visits run={run} history={history} />
      </Section>
    </>
  );
}

function LifeCharts({ run, history }: { readonly run: string; readonly history: SampleHistory }) {
  const { sampleId, steps, rewards, rewardStds, importances, rewardMin, rewardMax } = history;
  const series = useMemo(
    () => ({
      reward: [
        {
          label: 'mean ± standard deviation',
          colour: 'var(--c1)',
          style: 'points' as const,
          points: steps.flatMap((x, index) => {
            const y = rewards[index];
            const std = rewardStds[index] ?? 0;
            return y === null || y === undefined ? [] : [{ x, y, low: y - std, high: y + std }];
          }),
        },
      ],
      importance: [
        {
          label: 'when it was drawn',
          colour: 'var(--c2)',
          style: 'points' as const,
          points: steps.map((x, index) => ({ x, y: importances[index] ?? 0 })),
        },
      ],
    }),
    [history],
  );
  const shared = { xDomain: [0, Math.max(1, steps.at(-1) ?? 1)] as const, xName: 'step' };
  return (
    <div class="charts">
      <LineChart
        {...shared}
        title="Reward of its completions"
        file={`${run}-${sampleId}-reward`}
        series={series.reward}
        yDomain={[rewardMin, rewardMax]}
        yText={(y) => fixed(y, 1)}
      />
      <LineChart
        {...shared}
        title="Importance"
        file={`${run}-${sampleId}-importance`}
        series={series.importance}
        yDomain={[0, 1]}
        yText={(y) => fixed(y, 2)}
      />
    </div>
  );
}

function Visits({ run, history }: { readonly run: string; readonly history: SampleHistory }) {
  return (
    <>
      <div class="details-head">
        <CsvButton
          name={`${run}-${history.sampleId}`}
          of="Visits"
          rows={() => visitRows(history)}
        />
      </div>
      <div class="scroll">
        <table class="visits">
          <thead>
            <tr>
              <th class="number">visit</th>
              <th class="number">step</th>
              <th>drawn as</th>
              <th class="number">importance</th>
              <th class="number">reward</th>
              <th class="number">± std</th>
              <th class="number">exact match</th>
              <th>then</th>
            </tr>
          </thead>
          <tbody>
            {history.steps.map((step, index) => (
              <tr key={step}>
                <td class="number">{firstVisit(history) + index}</td>
                <td class="number">
                  <a
                    href={hrefOf({
                      page: 'rollouts',
                      run,
                      step,
                      rank: history.ranks[index] ?? null,
                    })}
                  >
                    {step}
                  </a>
                </td>
                <td>
                  <CategoryChip category={history.categories[index] ?? 'new'} />
                </td>
                <td class="number">{fixed(history.importances[index], 2)}</td>
                <td class="number">{fixed(history.rewards[index], 2)}</td>
                <td class="number">{fixed(history.rewardStds[index], 2)}</td>
                <td class="number">{percent(history.exactMatches[index])}</td>
                <td>{FATES[String(history.kept[index] ?? null)]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const FATES: { readonly [kept: string]: string } = {
  true: 'trained on',
  false: 'dropped: no variance',
  null: 'not decided yet',
};
