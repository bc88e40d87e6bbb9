/**
 * What can stand at the cursor: verbs, options, values of options, workload names from the running controller. Answers
 * within the patience of a person at a prompt, and is silent rather than wrong.
 */
import type { ApiClient } from "@bulkhead/api";
import type { Command, Option } from "commander";
import { createContext, FORMATS, type Surroundings } from "../context.ts";
import { HOST_NETWORK, IP_BLOCK } from "../offline/options.ts";

const PATIENCE_MS = 800;
const FILES = ":files\n";

interface Candidate {
  readonly word: string;
  readonly about: string;
}

const HELP: Candidate = { word: "help", about: "help for a verb" };

/** `words` as typed behind `bulkhead`; the last one is being completed. */
export async function complete(
  program: Command,
  words: readonly string[],
  around: Surroundings,
): Promise<string> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const verb = program.commands.find((command) => command.name() === before[0]);
  if (verb === undefined) {
    const verbs = program.commands
      .filter((command) => !command.name().startsWith("__"))
      .map((command) => ({ word: command.name(), about: command.description() }));
    if (before.length === 0) return print([...verbs, HELP], current);
    return before.length === 1 && before[0] === HELP.word ? print(verbs, current) : "";
  }
  const option = optionAwaitingValue(verb, before.at(-1));
  const another = option?.optional === true && current.startsWith("-");
  if (option !== undefined && !another) return completeValue(option, current, before, around);
  const joined = /^(--[^=]+=)(.*)$/s.exec(current);
  if (joined !== null) {
    const [, name = "", typed = ""] = joined;
    const asked = optionAwaitingValue(verb, name.slice(0, -1));
    if (asked === undefined) return "";
    const values = await completeValue(asked, typed, before, around);
    // Shells look for a file by the whole word.
    return values === FILES ? "" : values.replaceAll(/^(?=.)/gm, name);
  }
  if (current.startsWith("-")) return print(optionsOf(verb), current);
  return completeArgument(verb.name(), before.slice(1), current, around);
}

function optionsOf(verb: Command): readonly Candidate[] {
  return [
    ...verb.options.map((option) => ({
      word: option.long ?? option.flags,
      about: option.description,
    })),
    { word: "--help", about: "help" },
  ];
}

function optionAwaitingValue(verb: Command, word: string | undefined): Option | undefined {
  return verb.options.find(
    (option) =>
      (option.required || option.optional) && (option.short === word || option.long === word),
  );
}

async function completeValue(
  option: Option,
  current: string,
  before: readonly string[],
  around: Surroundings,
): Promise<string> {
  const words = (list: readonly string[]): readonly Candidate[] =>
    list.map((word) => ({ word, about: option.description }));
  switch (option.attributeName()) {
    case "output":
      return print(words(option.argChoices ?? FORMATS), current);
    case "verdict": {
      const { FLOW_VERDICTS } = await import("@bulkhead/model");
      return print(lists(FLOW_VERDICTS, current), current);
    }
    case "protocol": {
      const { PROTOCOL_NAMES } = await import("@bulkhead/model");
      return print(lists(PROTOCOL_NAMES, current), current);
    }
    case "format": {
      const { FORMAT_READERS } = await import("@bulkhead/sources");
      return print(
        FORMAT_READERS.map(({ name, title }) => ({ word: name, about: title })),
        current,
      );
    }
    case "approximate":
      return print(words(["over", "under"]), current);
    case "by":
      return print(words(["bytes", "connections", "failed", "denied"]), current);
    case "last":
    case "first":
      return print(words(["20", "100"]), current);
    case "label":
    case "fromLabel":
    case "toLabel":
      return print(
        await workloadLabels(before, around, (key, value) => `${key}=${value}`),
        current,
      );
    case "groupBy": {
      const keys = await workloadLabels(before, around, (key) => key);
      return print(
        lists(
          keys.map(({ word }) => word),
          current,
        ),
        current,
      );
    }
    case "mode":
      return print(words(["audit", "enforce"]), current);
    case "level":
      return print(words(option.argChoices ?? []), current);
    case "set":
      return print(words(["repair", "report"]), current);
    case "since":
    case "until":
      return print(words(["10m", "1h", "24h", "7d"]), current);
    case "hostNetwork":
      return print(words(HOST_NETWORK), current);
    case "ipBlock":
      return print(words(IP_BLOCK), current);
    case "canary":
      return print(words(["1%", "10%", "50%"]), current);
    case "confirm":
      return print(words(["60s", "5m"]), current);
    case "workload":
    case "from":
    case "to":
      if (option.attributeName() === "to" && ["convert", "suggest"].includes(before[0] ?? "")) {
        const { TARGETS } = await import("@bulkhead/dialects");
        return print(
          TARGETS.map(({ name, title }) => ({ word: name, about: title })),
          current,
        );
      }
      // Of a folder nobody here knows who is in it.
      if (before[0] === "decide") return "";
      return print(
        lists(
          (await workloadNames(before, around)).map((name) => name.word),
          current,
        ),
        current,
      );
    case "namespace": {
      const names = await workloadNames(before, around);
      const namespaces = new Set(names.map(({ word }) => word.slice(0, word.indexOf("/"))));
      return print(lists([...namespaces], current), current);
    }
    case "excludeWindow":
      return print(words(["3h..1h", "2d..1d"]), current);
    case "state":
    case "file":
    case "directory":
    case "flows":
    case "queries":
      return FILES;
    case "that":
      return print(words(["no path from", "isolated", "equivalent-to", "implies"]), current);
    case "hops":
      return print(words(["1", "2", "3"]), current);
    default:
      return "";
  }
}

/** In `a,b,c` the last one is being typed. */
function lists(known: readonly string[], current: string): readonly Candidate[] {
  const done = current.slice(0, current.lastIndexOf(",") + 1);
  return known.map((word) => ({ word: `${done}${word}`, about: "" }));
}

async function completeArgument(
  verb: string,
  before: readonly string[],
  current: string,
  around: Surroundings,
): Promise<string> {
  const given = before.filter((word) => !word.startsWith("-"));
  switch (verb) {
    case "replay":
    case "plan":
    case "apply":
    case "list":
    case "diff":
    case "exposure":
    case "decide":
    case "test":
    case "prove":
    case "check":
    case "lint":
    case "convert":
      return FILES;
    case "blast":
      return given.length === 0 ? FILES : "";
    case "explain":
    case "why": {
      if (given.length > 1) return "";
      const names = await workloadNames(before, around);
      const shown =
        given.length === 0 ? names : names.map((name) => ({ ...name, word: `${name.word}:` }));
      return print(shown, current);
    }
    case "label": {
      if (given.length === 0) return print(await workloadNames(before, around), current);
      const pairs = await workloadLabels(before, around, (key, value) => `${key}=${value}`);
      return print(
        pairs.filter(({ word }) => !word.startsWith("bulkhead.dev/")),
        current,
      );
    }
    case "policies":
    case "delete": {
      const names = await resourceNames(before, around);
      return print(
        names.filter(({ word }) => !given.includes(word)),
        current,
      );
    }
    case "history":
    case "rollback":
      return given.length > 0 ? "" : print(await revisions(before, around), current);
    case "schema": {
      if (given.length > 0) return "";
      const { schemaNames } = await import("./schema.ts");
      return print(
        (await schemaNames()).map((word) => ({ word, about: "" })),
        current,
      );
    }
    case "probe":
      return print(await workloadNames(before, around), current);
    case "boot":
      return print(
        ["enable", "disable", "restore"].map((word) => ({ word, about: "" })),
        current,
      );
    case "labels":
      return given.length === 0 ? print([{ word: "lint", about: "" }], current) : FILES;
    case "flows": {
      const words = given.length === 0 ? ["import", "export", "formats"] : [];
      if (given[0] === "export") return FILES;
      if (given[0] === "import") {
        const { FORMAT_READERS } = await import("@bulkhead/sources");
        const named = given.length > 1 || current.includes("/");
        const known = named
          ? ""
          : print(
              FORMAT_READERS.map(({ name, title }) => ({ word: name, about: title })),
              current,
            );
        return known === "" ? FILES : known;
      }
      return print(
        words.map((word) => ({ word, about: "" })),
        current,
      );
    }
    case "completion":
      return print(
        ["bash", "zsh", "fish"].map((word) => ({ word, about: "" })),
        current,
      );
    default:
      return "";
  }
}

function workloadNames(
  before: readonly string[],
  around: Surroundings,
): Promise<readonly Candidate[]> {
  return asked(before, around, async (client, signal) => {
    const { workloads } = await client.call("workloads", {}, { signal });
    return workloads.map((workload) => ({ word: workload.id, about: workload.mode }));
  });
}

/** Each once, of all workloads. */
function workloadLabels(
  before: readonly string[],
  around: Surroundings,
  say: (key: string, value: string) => string,
): Promise<readonly Candidate[]> {
  return asked(before, around, async (client, signal) => {
    const { workloads } = await client.call("workloads", {}, { signal });
    const words = workloads.flatMap(({ labels }) =>
      Object.entries(labels).map(([key, value]) => say(key, value)),
    );
    return [...new Set(words)].toSorted().map((word) => ({ word, about: "" }));
  });
}

function resourceNames(
  before: readonly string[],
  around: Surroundings,
): Promise<readonly Candidate[]> {
  return asked(before, around, async (client, signal) => {
    const { resources } = await client.call("resources", {}, { signal });
    return resources.map(({ name, mode, file }) => ({ word: name, about: `${mode}, ${file}` }));
  });
}

function revisions(before: readonly string[], around: Surroundings): Promise<readonly Candidate[]> {
  return asked(before, around, async (client, signal) => {
    const { revisions: known } = await client.call("history", {}, { signal });
    return known.map(({ revision, kind, mode }) => ({
      word: String(revision),
      about: `${kind}, ${mode}`,
    }));
  });
}

async function asked(
  before: readonly string[],
  around: Surroundings,
  ask: (client: ApiClient, signal: AbortSignal) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  const at = before.indexOf("--state");
  const state = at < 0 ? undefined : before[at + 1];
  const context = createContext(around, state === undefined ? {} : { state });
  try {
    return await ask(await context.client(), AbortSignal.timeout(PATIENCE_MS));
  } catch {
    return []; // no controller, no names: a prompt is no place for errors
  }
}

function print(candidates: readonly Candidate[], current: string): string {
  return candidates
    .filter(({ word }) => word.startsWith(current))
    .map(({ word, about }) => `${word}\t${about}\n`)
    .join("");
}
