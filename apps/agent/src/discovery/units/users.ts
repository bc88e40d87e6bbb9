/** Names of this machine's users by their numbers, from its own list (passwd(5)); read again when the file has changed. */
import { readFileSync, statSync } from "node:fs";

export type UserName = (uid: number) => string | undefined;

export function createUsers(file = "/etc/passwd"): UserName {
  let read = "";
  let names: ReadonlyMap<number, string> = new Map();
  return (uid) => {
    const found = statSync(file, { throwIfNoEntry: false });
    const version = found === undefined ? "none" : `${found.ino} ${found.mtimeMs} ${found.size}`;
    if (version !== read) {
      names = found === undefined ? new Map() : usersIn(readFileSync(file, "utf8"));
      read = version;
    }
    return names.get(uid);
  };
}

/** Of several names for one number, the first. */
export function usersIn(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name = "", , uid = ""] = line.split(":");
    if (name !== "" && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}
