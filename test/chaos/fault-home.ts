import { vi } from 'vitest';
import type { RunConfigInput } from '../../contracts/config.ts';
import { epochWorkflowId } from '../../contracts/temporal.ts';
import type { EndedRun } from '../../client/wait-for-run.ts';
import { calmOutcome } from './calm-outcome.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { SHORT_CONFIG } from './run-configs.ts';
import { createServedHome, type ServedHome } from './toolsample-home.ts';

const MINUTE = 60_000;

/** A data folder in which the same run is made again and again, each time with another fault. */
export interface FaultHome extends ServedHome {
  readonly databaseUrl: string;
  /** Starts the run under this name, with other settings if need be. @returns the workflow of its only epoch */
  start(run: string, settings?: RunConfigInput): Promise<string>;
  /** Waits until a step is committed. */
  committed(run: string, step: number): Promise<void>;
  /** Waits until it has ended, well or not. */
  end(run: string): Promise<EndedRun>;
  /** Starts it, with a worker whom nobody disturbs, and waits until it has ended. */
  undisturbed(run: string): Promise<Outcome>;
  /** What the undisturbed run comes to, here or in the test file that asked first. */
  calm(): Promise<Outcome>;
  outcome(run: string): Promise<Outcome>;
}

export async function createFaultHome(
  name: string,
  config: RunConfigInput = SHORT_CONFIG,
): Promise<FaultHome> {
  const home = await createServedHome(name);
  const { toolsample } = home;
  const { databaseUrl, folder } = toolsample.services;
  const start = async (run: string, settings: RunConfigInput = {}): Promise<string> => {
    await toolsample.startRun({ run, config: { ...config, ...settings } });
    return epochWorkflowId(run, 1);
  };
  const end = async (run: string): Promise<EndedRun> => toolsample.waitFor(run);
  const outcome = async (run: string): Promise<Outcome> => outcomeOf(databaseUrl, folder.home, run);
  const undisturbed = async (run: string): Promise<Outcome> => {
    const worker = home.startWorker();
    await start(run);
    await end(run);
    await worker.terminate();
    return outcome(run);
  };
  return {
    ...home,
    databaseUrl,
    start,
    async committed(run, step) {
      await vi.waitUntil(
        async () => {
          const all = await toolsample.runs();
          return all.some((each) => each.run === run && each.step >= step);
        },
        { timeout: 4 * MINUTE, interval: 50 },
      );
    },
    end,
    outcome,
    undisturbed,
    calm: async () => calmOutcome(config, async () => undisturbed('calm-run')),
  };
}
