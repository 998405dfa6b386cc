import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { GroupDetail, GroupSummary, RunDetail } from '../../../contracts/dashboard.ts';
import { fixed, percent } from '../../model/number-text.ts';
import { CategoryChip, CsvButton, Problem, Waiting } from '../parts.tsx';
import { hrefOf } from '../../model/route.ts';
import { useSource } from '../shell/source.ts';
import { useAnswer } from '../shell/use-answer.ts';
import { Group } from './group.tsx';
import { StepPicker } from './step-picker.tsx';

/** What the policy wrote in a step: the groups, and the completions of the one that is chosen. */
export function RolloutsPage(props: {
  readonly run: string;
  readonly step: number | null;
  readonly rank: number | null;
}) {
  const { run } = props;
  const detail = useAnswer<RunDetail>(DASHBOARD_PATHS.run(run), run);
  const steps = useStepsWithRollouts(run, detail.value?.overview.step ?? 0);
  const step = props.step ?? steps.at(-1) ?? null;
  const groups = useAnswer<readonly GroupSummary[]>(
    step === null ? null : DASHBOARD_PATHS.groups(run, step),
    run,
  );
  const rank = props.rank ?? groups.value?.[0]?.rank ?? null;
  if (detail.value === undefined) return <Waiting problem={detail.problem} />;
  if (step === null) return <p class="waiting">No step is finished yet.</p>;
  return (
    <>
      <div class="page-head">
        <h1>
          Rollouts <span class="muted">of {run}</span>
        </h1>
        <StepPicker run={run} step={step} steps={steps} />
      </div>
      <Problem problem={groups.problem} />
      {groups.value !== undefined && (
        <div class="rollouts">
          <GroupList run={run} step={step} rank={rank} groups={groups.value} />
          {rank !== null && <ChosenGroup run={run} step={step} rank={rank} />}
        </div>
      )}
    </>
  );
}

/** The steps that can be looked at: all that are committed, or those that a report has. */
function useStepsWithRollouts(run: string, last: number): readonly number[] {
  const { report } = useSource();
  return report?.steps[run] ?? Array.from({ length: last }, (_, index) => index + 1);
}

function ChosenGroup(props: {
  readonly run: string;
  readonly step: number;
  readonly rank: number;
}) {
  const { run, step, rank } = props;
  const { value, problem } = useAnswer<GroupDetail>(DASHBOARD_PATHS.group(run, step, rank), run);
  if (value === undefined) return <Waiting problem={problem} />;
  return <Group run={run} step={step} group={value} />;
}

function GroupList(props: {
  readonly run: string;
  readonly step: number;
  readonly rank: number | null;
  readonly groups: readonly GroupSummary[];
}) {
  const { run, step, rank, groups } = props;
  return (
    <nav class="groups" aria-label="Groups of the step">
      <div class="details-head">
        <span class="muted">
          {groups.length} groups, {groups.filter(({ state }) => state === 'kept').length} trained on
        </span>
        <CsvButton
          name={`${run}-step-${step}-groups`}
          of="Groups of the step"
          rows={() => groups.map((group) => ({ ...group }))}
        />
      </div>
      <ol>
        {groups.map((group) => (
          <li key={group.rank}>
            <a
              href={hrefOf({ page: 'rollouts', run, step, rank: group.rank })}
              aria-current={group.rank === rank ? 'true' : undefined}
            >
              <span class="line">
                <strong>{group.sampleId}</strong>
                <span class="reward">
                  {fixed(group.reward, 2)} ± {fixed(group.rewardStd, 2)}
                </span>
              </span>
              <span class="request">{group.request}</span>
              <span class="line muted">
                <CategoryChip category={group.category} />
                <span>{percent(group.exactMatch, 0)} exact</span>
                <span>{group.state === 'dropped' ? 'dropped' : ''}</span>
              </span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
