/** How answers call what is in force on this machine, where they would name a folder. */
export const IN_FORCE = "what is in force";
