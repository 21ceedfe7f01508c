"""Tell whether other machines may write to a folder, by the type of its file system."""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

BOOT = Path("/proc/sys/kernel/random/boot_id")

SHARED = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "ceph", "glusterfs", "lustre"),
    *("beegfs", "gpfs", "orangefs", "afs", "wekafs", "panfs", "vboxsf", "vmhgfs", "prl_fs"),
}
"""Types of file systems that machines share, beside those of FUSE: each machine may see the writes
of another one late, and may keep locks to itself."""

LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuse.lxcfs"}


def is_shared(folder: Path) -> bool:
    """Return whether a folder is on a file system that other machines may write to."""
    kind = file_system(folder)
    return kind in SHARED or (
        (kind == "fuse" or kind.startswith("fuse.")) and kind not in LOCAL_FUSE
    )


def file_system(folder: Path) -> str:
    """Return the type of the file system of a folder; empty if the system does not tell."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    resolved = folder.resolve()
    found, depth = "", -1
    for line in lines:
        # As in proc_pid_mountinfo(5): 36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/x rw
        mount, _, description = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), mount.split(" ")[4]))
        if resolved.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = description.split(" ")[0], len(point.parts)
    return found


def machine() -> str:
    """Return an id that all processes of this machine share until it starts again."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
