// Send JSON to the portal: {status, message}; status 0 where it cannot be reached.
export async function post(url, csrf, body) {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf },
      body: JSON.stringify(body),
      redirect: 'error',
    });
    const json = response.headers.get('Content-Type')?.startsWith('application/json');
    const answer = json ? await response.json() : {};
    const fallback = response.ok ? '' : 'The portal did not accept this. Load the page again; what you entered is kept.';
    return { ...answer, status: response.status, message: answer.message ?? fallback };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { status: 0, message: '' };
  }
}
