/**
 * `bulkhead prove DIR --that …`: a yes over everybody and everything, or a packet that contradicts it; without DIR of what is in
 * force here.
 */
import {
  parseStatement,
  prove as proveAtDesk,
  STATEMENTS,
  type Desk,
  type Statement,
} from "@bulkhead/workbench/desk";
import { badInput } from "../failure.ts";
import { IN_FORCE } from "../offline/here.ts";
import { openDeskOf, openDeskOrHere, openDeskOverHere, type OpenedDesk } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { orFailure } from "../offline/requests.ts";
import { proofsText, type ProofAnswer } from "../views/prove.ts";
import type { Verb } from "./verb.ts";

export interface ProveOptions extends OfflineOptions {
  readonly that?: readonly string[];
  readonly transitive?: boolean;
  readonly allowEmpty?: boolean;
  readonly shadow?: boolean;
}

export const prove: Verb<ProveOptions> = async (context, [dir, ...words], options) => {
  const asked = statementsIn(options.that ?? [], words).map((that) => ({
    that,
    statement: orFailure(parseStatement(that)),
  }));
  const paths = dir === undefined ? [] : [dir];
  const typed = "prove policies/ --that …";
  const { desk, exitCode } = await openDeskOrHere(context, paths, options, typed);
  const folders = await openFolders(asked, (name) =>
    dir === undefined
      ? openDeskOverHere(context, name, options, typed)
      : openDeskOf(context, [name], options),
  );
  const proofs = asked.map(({ that, statement }): ProofAnswer => {
    const folder = "folder" in statement ? folders.get(statement.folder) : undefined;
    const proof = proveAtDesk(desk, statement, folder, {
      now: context.now(),
      view: options.shadow === true ? "shadow" : "live",
      transitive: options.transitive === true,
      allowEmpty: options.allowEmpty === true,
    });
    return { that, ...orFailure(proof) };
  });
  const named = asked.map(({ statement }) =>
    "folder" in statement ? statement.folder : undefined,
  );
  return {
    value: { proofs },
    text: (ui) => proofsText(proofs, dir ?? IN_FORCE, named, ui),
    next: [],
    exitCode: exitCode(proofs.every(({ answer }) => answer === "yes") ? 0 : 1),
  };
};

/** Whoever forgot to quote has told the shell to take the statement apart. */
function statementsIn(that: readonly string[], words: readonly string[]): readonly string[] {
  const quoted = words.map((word) => (/\s/.test(word) ? `'${word}'` : word));
  const all =
    quoted.length === 0 ? that : [...that.slice(0, -1), [...that.slice(-1), ...quoted].join(" ")];
  if (all.length === 0) throw badInput("`prove` needs `--that`", STATEMENTS);
  return all;
}

async function openFolders(
  asked: readonly { readonly statement: Statement }[],
  open: (name: string) => Promise<OpenedDesk>,
): Promise<ReadonlyMap<string, Desk>> {
  const names = asked.flatMap(({ statement }) => ("folder" in statement ? [statement.folder] : []));
  const folders = new Map<string, Desk>();
  for (const name of new Set(names)) {
    const { desk, exitCode } = await open(name);
    if (exitCode(0) !== 0) throw badInput(`\`${name}\` has errors: nothing can be said about it`);
    folders.set(name, desk);
  }
  return folders;
}
