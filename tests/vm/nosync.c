/* The control of tests/powercut: a library, loaded before the C library, in which every way to sync does nothing and
 * says that it went well. A gateway that runs with it acknowledges what is not on the disk, so the rig must find data
 * missing after a cut. It is never part of the product. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/types.h>

int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int syncfs(int fd) { (void)fd; return 0; }
void sync(void) {}
int msync(void *start, size_t length, int flags) { (void)start; (void)length; (void)flags; return 0; }
int sync_file_range(int fd, off_t from, off_t length, unsigned flags) {
    (void)fd; (void)from; (void)length; (void)flags;
    return 0;
}
