/** Places as other programs want them: relative to where we are, with forward slashes. */
import { isAbsolute, relative, sep } from "node:path";

export function pathOf(file: string): string {
  if (file === "-" || file === "") return file;
  const near = isAbsolute(file) ? relative(process.cwd(), file) : file;
  const path = near.startsWith("..") || isAbsolute(near) ? file : near;
  return path.split(sep).join("/").replace(/^\.\//, "");
}
