import { resolve } from 'node:path';
import type { ToolsampleClient } from '../../client.ts';
import { checkedEvaluation, type EvaluationInput } from '../../evaluation/checked-input.ts';
import { replaceFile } from '../../services/durable-file.ts';
import { namesFolder } from '../../services/folder-reference.ts';
import type { EvaluationFlags } from '../evaluation-command.ts';
import type { ExitCode } from '../failure.ts';
import { followEvaluation } from '../follow-evaluation.ts';
import { checkOutputFile } from '../output-place.ts';
import type { CommandContext } from '../program.ts';
import { reportLines } from '../render/suite-report.ts';
import { findRunAtEpoch } from '../run-reference.ts';
import { withClient } from '../with-client.ts';

/** `toolsample eval`: evaluates a policy on a suite, or goes on with what the same command began; tells what it came to. */
export async function evaluate(context: CommandContext, flags: EvaluationFlags): Promise<ExitCode> {
  const { json, name, policy: reference, ...asked } = flags;
  const file = typeof json === 'string' ? resolve(json) : null;
  if (file !== null) await checkOutputFile(file);
  // Told before anything is started.
  const named = isRun(reference) ? { run: reference, epoch: undefined } : reference;
  await checkedEvaluation({ ...asked, policy: named });
  return withClient(context, async (client) => {
    const { terminal } = context;
    const policy = await policyOf(client, reference);
    const input: EvaluationInput = { ...asked, policy };
    const { evaluation, completed } = await client.startEvaluation({ ...input, evaluation: name });
    terminal.note(`evaluation ${evaluation}${completed ? ', completed before' : ''}`);
    const code = completed ? 0 : await followEvaluation({ context, client, evaluation });
    if (code !== 0) return code;
    const report = await client.evaluationReport(evaluation);
    if (report.state !== 'completed') return code;
    if (context.json) terminal.print(JSON.stringify(report, null, 2));
    else for (const line of reportLines(report, terminal.paint)) terminal.print(line);
    if (file !== null) {
      replaceFile(file, `${JSON.stringify(report, null, 2)}\n`, 0o644);
      terminal.note(`written: ${file}`);
    }
    return code;
  });
}

/** Whether a policy is named that is neither `builtin` nor a folder. */
function isRun(reference: string): boolean {
  return reference !== 'builtin' && !namesFolder(reference);
}

async function policyOf(
  client: ToolsampleClient,
  reference: string,
): Promise<EvaluationInput['policy']> {
  if (!isRun(reference)) return reference;
  return findRunAtEpoch(reference, await client.runIds());
}
