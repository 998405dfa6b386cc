import type { EvaluationStatus, RunStatus } from '../contracts/run-status.ts';
import { evaluationLine, stepLine } from './render/log-line.ts';
import { renderPanel, type PanelState } from './render/panel.ts';
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

/**
 * One line for each step and each evaluation.
 * @param before - How far a run was that goes on: what it did then is not told again.
 */
export function logView(terminal: Terminal, before: RunStatus | null): LiveView {
  let toldStep = before?.step ?? 0;
  let toldPhase: string | null = null;
  const toldEvaluations = new Set(before?.evaluations.map(evaluationKey));
  return {
    update: ({ status, steps, phase }) => {
      // Before the first step nothing else tells that something happens.
      if (phase !== null && phase !== toldPhase && status.step === 0) terminal.print(phase);
      toldPhase = phase;
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
      for (const { line } of news) terminal.print(line());
      for (const evaluation of evaluations) toldEvaluations.add(evaluationKey(evaluation));
      toldStep = Math.max(toldStep, steps.at(-1)?.step ?? 0);
    },
    say: (line) => terminal.print(line),
    close: () => undefined,
  };
}

function evaluationKey({ step, split }: EvaluationStatus): string {
  return `${step}/${split}`;
}
