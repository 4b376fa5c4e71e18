/** Put a text on the clipboard; where that is closed to pages, by the old way. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "k-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
