# A file system in user space over a folder, of the kind that servers and sticks bring: it is slow, it says EINVAL to the sync of a folder, and
# what has `unreadable` in its name fails with EIO, what has `unsynced` when it is synced, what has `unlisted` when it is listed.
#
#   slow-folder.py FOLDER MOUNTPOINT MILLISECONDS
import errno
import os
import sys
import time

import fusepy as fuse

folder, mount_point, pause = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000


class SlowFolder(fuse.Operations):
    def __call__(self, operation, path, *arguments):
        if operation not in ("init", "destroy"):
            time.sleep(pause)
        path = path if path is None else folder + path
        try:
            return super().__call__(operation, path, *arguments)
        except OSError as error:
            raise fuse.FuseOSError(error.errno)

    def getattr(self, path, handle=None):
        found = os.lstat(path)
        names = "st_mode st_nlink st_uid st_gid st_size st_atime st_mtime st_ctime".split()
        return {name: getattr(found, name) for name in names}

    def readdir(self, path, handle):
        if "unlisted" in path:
            raise OSError(errno.EIO, "")
        return [".", ".."] + os.listdir(path)

    def open(self, path, flags):
        return os.open(path, flags)

    def create(self, path, mode, info=None):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path, size, offset, handle):
        if "unreadable" in path:
            raise OSError(errno.EIO, "")
        return os.pread(handle, size, offset)

    def write(self, path, data, offset, handle):
        return os.pwrite(handle, data, offset)

    def truncate(self, path, length, handle=None):
        os.truncate(path, length)

    def fsync(self, path, data_only, handle):
        if "unsynced" in path:
            raise OSError(errno.EIO, "")
        os.fsync(handle)

    def fsyncdir(self, path, data_only, handle):
        raise OSError(errno.EINVAL, "")

    def release(self, path, handle):
        os.close(handle)

    def mkdir(self, path, mode):
        os.mkdir(path, mode)

    def rmdir(self, path):
        os.rmdir(path)

    def unlink(self, path):
        os.unlink(path)


# An open file that is removed is gone, and not hidden under another name.
fuse.FUSE(SlowFolder(), mount_point, foreground=True, hard_remove=True)
