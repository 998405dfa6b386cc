import type { JsonValue } from '../../contracts/json.ts';
import type { AcceptedRequest, RequestStatus, SettingChange } from '../../contracts/requests.ts';
import type { RunStatus } from '../../contracts/run-status.ts';
import { shellWord } from '../../contracts/shell-word.ts';
import { spell } from '../../services/configuration/names.ts';
import { printable, type Paint } from './text.ts';

/**
 * What will come of a request that was accepted.
 * @param command - A command to suggest, with the program's name.
 */
export function acceptedLines(
  { run, request, step, changes }: AcceptedRequest,
  command: (text: string) => string,
): string[] {
  switch (request) {
    case 'pause':
      return [
        `run ${run} pauses after the piece of work under way (step ${step} is committed)`,
        `go on with: ${command(`continue ${shellWord(run)}`)}`,
      ];
    case 'continue':
      return [`run ${run} goes on after step ${step}`];
    case 'stop':
      return [
        `run ${run} stops after the piece of work under way (step ${step} is committed), and exports its policy`,
        `see where with: ${command(`status ${shellWord(run)}`)}`,
      ];
    case 'cancel':
      return [
        `run ${run} is cut off after step ${step}`,
        `go on with: ${command(`resume ${shellWord(run)}`)}`,
      ];
    case 'evaluate':
      return [
        `run ${run} evaluates its policy before the next step (step ${step} is committed)`,
        `see it with: ${command(`status ${shellWord(run)}`)}`,
      ];
    default:
      return changes.map((change) => `run ${run}: ${settingText(change)}`);
  }
}

/** What a status tells of requests and of settings that changed. */
export function requestLines(
  { requested, requests, settings }: Pick<RunStatus, 'requested' | 'requests' | 'settings'>,
  paint: Paint,
): string[] {
  return [
    ...(requested === null ? [] : [paint.bold(`${requested} asked for, not come about yet`)]),
    ...settings.map((change) => `set ${settingText(change)}`),
    ...requests.map(requestText),
  ];
}

function settingText({ key, from, to, fromStep }: SettingChange): string {
  return `${spell(key, 'snake')} ${valueText(from)} → ${valueText(to)} from step ${fromStep} on`;
}

function requestText({ request, by, at, step, from, to }: RequestStatus): string {
  const change = request === 'set' ? '' : `: ${valueText(from)} → ${valueText(to)}`;
  return `asked ${at.slice(0, 19)}Z, after step ${step}, ${printable(by)}: ${request}${change}`;
}

function valueText(value: JsonValue): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}
