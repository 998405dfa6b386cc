import { useMemo } from 'preact/hooks';
import { DASHBOARD_PATHS } from '../../../contracts/dashboard-paths.ts';
import type { RunDetail } from '../../../contracts/dashboard.ts';
import { runMarks } from '../../model/run-marks.ts';
import { CursorProvider } from '../charts/cursor-provider.tsx';
import { Problem, Waiting } from '../parts.tsx';
import { useAnswer, useSteps } from '../shell/use-answer.ts';
import { Configuration } from './configuration.tsx';
import { EventList } from './event-list.tsx';
import { RunCharts } from './run-charts.tsx';
import { RunHead } from './run-head.tsx';
import { VerdictTiles } from './verdict-tiles.tsx';

/** One run: how it stands, what it learns, what it is stuck on, what still teaches, and where the time goes. */
export function RunPage({ run }: { readonly run: string }) {
  const detail = useAnswer<RunDetail>(DASHBOARD_PATHS.run(run), run);
  const read = useSteps(run);
  const { value } = detail;
  const steps = read.value;
  const marks = useMemo(
    () => (value === undefined || steps === undefined ? [] : runMarks(value, steps)),
    [value, steps],
  );
  if (value === undefined || steps === undefined)
    return <Waiting problem={detail.problem ?? read.problem} />;
  return (
    <>
      <Problem problem={detail.problem ?? read.problem} />
      <RunHead detail={value} steps={steps} />
      <VerdictTiles detail={value} steps={steps} />
      <CursorProvider>
        <RunCharts detail={value} steps={steps} marks={marks} />
      </CursorProvider>
      <EventList run={run} events={value.events} marks={marks} />
      <Configuration detail={value} />
    </>
  );
}
