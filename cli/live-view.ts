import type { EvaluationStatus, RunStatus } from '../contracts/run-status.ts';
import { evaluationLine, stepLine } from './render/log-line.ts';
import { renderPanel, workText, type PanelState } from './render/panel.ts';
import type { Terminal } from './terminal.ts';

/** Shows how a run goes on; redraws where the terminal can, prints lines where it cannot. */
export interface LiveView {
  readonly update: (state: PanelState) => void;
  /** Prints a line that stays, above the panel. */
  readonly say: (line: string) => void;
  /** Leaves the panel as it stands; what is printed afterwards follows below. */
  readonly close: () => void;
}

/** A panel that is redrawn in place. `write` receives raw terminal output. */
export function panelView(terminal: Terminal, write: (text: string) => void): LiveView {
  let shown: PanelState | null = null;
  let drawn = 0;
  const draw = (above: readonly string[]): void => {
    const panel = shown === null ? [] : renderPanel(shown, terminal.width() - 1, terminal.paint);
    const up = drawn > 0 ? `\u001b[${drawn}A` : '';
    const lines = [...above, ...panel].map((line) => `\u001b[2K${line}\n`);
    write(`${up}\r${lines.join('')}\u001b[0J`);
    drawn = panel.length;
  };
  return {
    update: (state) => {
      shown = state;
      draw([]);
    },
    say: (line) => draw([line]),
    close: () => {
      shown = null;
      drawn = 0;
    },
  };
}

/** Milliseconds of silence after which a line tells how far the work under way is. */
const PATIENCE = 30_000;
/** Milliseconds without a worker after which a line says so: one that was just started needs a few seconds. */
const WORKER_PATIENCE = 10_000;

/**
 * One line for each step and each evaluation, and for work that takes long.
 * @param before - How far a run was that goes on: what it did then is not told again.
 */
export function logView(
  terminal: Pick<Terminal, 'print'>,
  before: RunStatus | null,
  now: () => number = Date.now,
): LiveView {
  let toldStep = before?.step ?? 0;
  let toldPhase: string | null = null;
  let toldWork: string | null = null;
  let lastTold = now();
  let aloneSince: number | null = null;
  let toldAlone = false;
  const tell = (line: string): void => {
    terminal.print(line);
    lastTold = now();
  };
  const toldEvaluations = new Set(before?.evaluations.map(evaluationKey));
  return {
    update: ({ status, steps, phase, work }) => {
      // Before the first step nothing else tells that something happens.
      if (phase !== null && phase !== toldPhase && status.step === 0) tell(phase);
      toldPhase = phase;
      aloneSince = status.withoutWorker ? (aloneSince ?? now()) : null;
      const alone = aloneSince !== null && now() - aloneSince >= WORKER_PATIENCE;
      if (alone && !toldAlone) tell('no worker is there; the run goes on when one is');
      if (aloneSince === null && toldAlone) tell('a worker is there again');
      toldAlone = aloneSince !== null && (toldAlone || alone);
      const evaluations = status.evaluations.filter(
        (evaluation) => !toldEvaluations.has(evaluationKey(evaluation)),
      );
      const news = [
        ...steps
          .map(({ step }, index) => ({
            step,
            line: () => stepLine(steps.slice(0, index + 1), status.totalSteps),
          }))
          .filter(({ step }) => step > toldStep),
        ...evaluations.map((evaluation) => ({
          step: evaluation.step,
          line: () => evaluationLine(evaluation),
        })),
      ].sort((a, b) => a.step - b.step);
      for (const { line } of news) tell(line());
      for (const evaluation of evaluations) toldEvaluations.add(evaluationKey(evaluation));
      toldStep = Math.max(toldStep, steps.at(-1)?.step ?? 0);
      const progress = work === null ? null : workText(work);
      if (progress !== null && progress !== toldWork && now() - lastTold >= PATIENCE) {
        toldWork = progress;
        tell(`  ${progress}`);
      }
    },
    say: tell,
    close: () => undefined,
  };
}

function evaluationKey({ step, split }: EvaluationStatus): string {
  return `${step}/${split}`;
}
