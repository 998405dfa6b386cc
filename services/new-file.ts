import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ToolsampleError } from '../contracts/errors.ts';
import { fileError, syncFolder } from './durable-file.ts';
import { errorCode } from './process.ts';

/** Lines that are written together. */
const BUFFER_CHARACTERS = 1 << 20;

/** A file under way, written line by line. */
export interface NewFile {
  write(line: string): Promise<void>;
  /** Gives the file its name. @throws ToolsampleError `config` when the name is taken meanwhile */
  finish(): Promise<void>;
  /** Removes what is unfinished; without effect after {@link finish}. */
  discard(): Promise<void>;
}

/**
 * A file that appears whole or not at all: written under another name beside it, flushed, renamed. Never takes the place of
 * another.
 * @throws ToolsampleError `config` when there is something of that name or the place cannot be written, `disk-full`
 */
export async function createFile(path: string): Promise<NewFile> {
  if (await exists(path)) throw taken(path);
  const unfinished = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.partial`;
  const failing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
        throw new ToolsampleError('config', 'is in no folder that exists', {
          at: { file: path },
          hint: 'make the folder first, or name another one',
          cause: error,
        });
      }
      throw fileError(error, path, 'cannot be written');
    }
  };
  const handle: FileHandle = await failing(async () => open(unfinished, 'wx'));
  let pending: string[] = [];
  let characters = 0;
  let closed = false;
  const flush = async (): Promise<void> => {
    const text = pending.join('');
    pending = [];
    characters = 0;
    await failing(async () => handle.appendFile(text));
  };
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await handle.close();
  };
  return {
    write: async (line) => {
      pending.push(`${line}\n`);
      characters += line.length;
      if (characters > BUFFER_CHARACTERS) await flush();
    },
    finish: async () => {
      await flush();
      await failing(async () => {
        await handle.sync();
        await close();
        if (await exists(path)) throw taken(path);
        await rename(unfinished, path);
        await syncFolder(dirname(path));
      });
    },
    discard: async () => {
      await close();
      await rm(unfinished, { force: true });
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

function taken(path: string): ToolsampleError {
  return new ToolsampleError('config', 'exists already', {
    at: { file: path },
    hint: 'name a new file, or remove it',
  });
}
