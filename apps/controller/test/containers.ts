/** What tests with real container runtimes share: an image of one program that sleeps, and trying who reaches whom. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A program that says back what it is told on `port`. */
export const echoOn = (port: number): string =>
  `require('node:net').createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(${port}, '::')`;

/** The file system of such an image, as a tarball in `folder`. */
export async function sleeperTarball(folder: string): Promise<string> {
  const root = join(folder, "root");
  const tarball = join(folder, "root.tar");
  const { stdout } = await run("ldd", ["/bin/sleep"]);
  for (const file of ["/bin/sleep", ...(stdout.match(/\/\S+/g) ?? [])]) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  await run("tar", ["-C", root, "-cf", tarball, "."]);
  return tarball;
}

/** Whether what is said to it comes back. */
export async function reaches(netns: string, address: string, port: number): Promise<boolean> {
  const talk = `exec 3<>/dev/tcp/${address}/${port} && echo hello >&3 && read -t 1 -r said <&3 && [ "$said" = hello ]`;
  return run("nsenter", [`--net=${netns}`, "timeout", "1.5", "bash", "-c", talk]).then(
    () => true,
    () => false,
  );
}

/** The kernel lets go of control groups only when they are empty. */
export async function removeControlGroups(prefix: string): Promise<void> {
  await run("find", [
    "/sys/fs/cgroup",
    ..."-depth -type d -path".split(" "),
    `*/${prefix}*`,
    ..."-exec rmdir {} ;".split(" "),
  ]);
}
