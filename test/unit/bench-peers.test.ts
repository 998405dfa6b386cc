import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { PACKAGE_QUERY, parsePackages, parsePeerAnswer } from '../../bench/peer-answers.ts';
import { startPeer } from '../../bench/peer-process.ts';

test('answers of a peer', () => {
  expect(parsePeerAnswer('{"ready": true}')).toEqual({ kind: 'ready' });
  expect(parsePeerAnswer('{"seconds": 1.5, "tokens": 64}')).toEqual({
    kind: 'repetition',
    repetition: { seconds: 1.5, tokens: 64 },
  });
  expect(parsePeerAnswer('{"error": "MemoryError"}')).toEqual({
    kind: 'error',
    message: 'MemoryError',
  });
  for (const wrong of ['Loading weights', '{"seconds": 0, "tokens": 1}', '{"seconds": "1"}', '7']) {
    expect(() => parsePeerAnswer(wrong), wrong).toThrow(Error);
  }
});

test('packages that were found', () => {
  const found = parsePackages('{"python": "3.11.7", "versions": {"torch": "2.15.0", "trl": null}}');
  expect(found).toEqual({ python: '3.11.7', versions: { torch: '2.15.0', trl: null } });
  expect(() => parsePackages('{"python": 3}')).toThrow(Error);
  expect(PACKAGE_QUERY).toContain('"transformers"');
});

/** A peer in the language that is surely here. */
const COUNTING = `
let asked = 0;
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  if (request.mood === 'bad') console.log('{"error": "no memory"}');
  else if (request.measure) console.log(JSON.stringify({ seconds: ++asked, tokens: 8 }));
  else console.log('{"ready": true}');
  if (asked === 2) { console.error('tired'); process.exit(3); }
}).on('close', () => process.exit(0));
`;

test('a peer measures when it is asked, and says why it ended', async () => {
  const peer = await startPeer(process.execPath, ['-e', COUNTING], { mood: 'good' });
  expect(await peer.measure()).toEqual({ seconds: 1, tokens: 8 });
  expect(await peer.measure()).toEqual({ seconds: 2, tokens: 8 });
  await expect(peer.measure()).rejects.toThrow('the peer ended: tired');
  await peer.close();
});

test('a peer that refuses its job, or cannot be started, is no peer', async () => {
  const refused = startPeer(process.execPath, ['-e', COUNTING], { mood: 'bad' });
  await expect(refused).rejects.toThrow('no memory');
  await expect(startPeer('no-such-python', [], {})).rejects.toThrow('ENOENT');
});

test('a closed peer is gone', async () => {
  const name = `peer-${process.pid}`;
  const peer = await startPeer(process.execPath, ['-e', COUNTING, name], { mood: 'good' });
  const running = async () => {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
    return stdout.split('\n').filter((line) => line.endsWith(name));
  };
  expect(await running()).toHaveLength(1);
  await peer.close();
  expect(await running()).toHaveLength(0);
});
