/** The policy in force as the texts it was given in: who asks reads what the controller reads, in other circumstances. */
import type { InForceAnswer } from "@bulkhead/api";
import type { StateStore } from "@bulkhead/store";
import type { InForce } from "../policy/change.ts";
import { canaryView } from "../policy/rollout.ts";

export async function textsInForce(
  store: Pick<StateStore, "fileText">,
  { revision, held }: Pick<InForce, "revision" | "held">,
): Promise<InForceAnswer> {
  const groups = Map.groupBy(held, ({ stored }) => `${stored.fileName}\0${stored.fileHash}`);
  const files = await Promise.all(
    [...groups.values()].map(async (group) => {
      const { fileName, fileHash } = group[0]!.stored;
      const text = await store.fileText(fileHash);
      if (text === null) throw new Error(`the text of \`${fileName}\` is missing from the state`);
      const resources = group.map(({ stored: { key, mode } }) => ({ name: key, mode }));
      return { name: fileName, text, resources };
    }),
  );
  return {
    revision,
    ...canaryView(held),
    files: files.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
  };
}
