import { useState } from 'preact/hooks';
import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { RunDetail, RunOverview, StepPoint } from '../../../contracts/dashboard.ts';
import { COMPARE_METRICS, type ComparedRun } from '../../model/compare-metrics.ts';
import { configGroups } from '../../model/config-groups.ts';
import { Problem, Section, Waiting } from '../parts.tsx';
import { useAnswer, useReading } from '../shell/use-answer.ts';
import { CompareChart } from './compare-chart.tsx';
import { Differences } from './differences.tsx';
import { GroupTable } from './group-table.tsx';
import { RunPicker } from './run-picker.tsx';

/** Several runs over generated tokens; runs that differ in their seed alone are one line with a band, the mean of these seeds. */
export function ComparePage({ runs }: { readonly runs: readonly string[] }) {
  const all = useAnswer<readonly RunOverview[]>(DASHBOARD_PATHS.runs(), null);
  const [metricName, setMetric] = useState<string>(COMPARE_METRICS[0].name);
  const known = all.value?.map(({ run }) => run);
  const chosen = runs.filter((run) => known?.includes(run) === true);
  const compared = useCompared(chosen);
  if (all.value === undefined) return <Waiting problem={all.problem} />;
  const metric = COMPARE_METRICS.find(({ name }) => name === metricName) ?? COMPARE_METRICS[0];
  const found = compared.value ?? [];
  const { groups, differences } = configGroups(found.map(({ detail }) => detail));
  return (
    <>
      <div class="page-head">
        <h1>Compare</h1>
        <label class="tools">
          by{' '}
          <select
            value={metric.name}
            onChange={(event) => {
              setMetric(event.currentTarget.value);
            }}
          >
            {COMPARE_METRICS.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Problem problem={all.problem ?? compared.problem} />
      <RunPicker runs={all.value} chosen={chosen} />
      {found.length > 0 && (
        <>
          <CompareChart runs={found} groups={groups} metric={metric} />
          <Section
            title="Where they ended"
            note="Last evaluation on the first held-out split; mean over seeds with its 95% interval (Student’s t)."
          >
            <GroupTable runs={found} groups={groups} />
          </Section>
          {differences.length > 0 && (
            <Section title="What differs">
              <Differences groups={groups} differences={differences} />
            </Section>
          )}
        </>
      )}
    </>
  );
}

/** Runs with their steps; only new steps are asked for. */
function useCompared(runs: readonly string[]) {
  return useReading<readonly ComparedRun[]>(
    runs.length === 0 ? null : runs.join('\n'),
    null,
    async (load, known) => {
      const found: ComparedRun[] = [];
      for (const [index, run] of runs.entries()) {
        const before = known?.[index]?.steps ?? [];
        const path = DASHBOARD_PATHS.steps(run, before.at(-1)?.step ?? 0);
        const news = (await load(path)) as readonly StepPoint[];
        const detail = (await load(DASHBOARD_PATHS.run(run))) as RunDetail;
        found.push({ detail, steps: [...before, ...news] });
      }
      return found;
    },
  );
}
