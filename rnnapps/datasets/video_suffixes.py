"""The names of files of video and of pictures. Imports nothing: command lines know them, too."""

VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".ts"),
    *(".mjpeg", ".mjpg", ".gif"),
)
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp", ".tif", ".tiff")
